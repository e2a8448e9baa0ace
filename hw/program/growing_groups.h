// Where V groups stay that a strip of a step ends within: in the converter, or in memory until the next strip.
// Models: places in the converter, given to a sequence and kv head at a time. Does not model: the groups' contents.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace harmonia::accelerator {

class GrowingGroups {
 public:
  /// places: groups of all channels of a head that the converter has room for.
  explicit GrowingGroups(std::size_t places) : taken_(places + 1) {}

  struct Group {
    std::uint16_t place = 0;    // in the converter, from 1; 0: the group is in memory
    std::uint64_t written = 0;  // descriptors of kv_write that have brought it there
  };
  /// Of a sequence and kv head, in the layer under way.
  Group& of(std::size_t sequence, std::uint64_t head) { return groups_[{sequence, head}]; }
  /// A free place, counted from 1; 0 when all are taken.
  std::uint16_t take();
  void give_back(std::uint16_t place) { taken_[place] = false; }

 private:
  std::map<std::pair<std::size_t, std::uint64_t>, Group> groups_;
  std::vector<bool> taken_;  // [place]
};

}  // namespace harmonia::accelerator
