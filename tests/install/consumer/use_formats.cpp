// The number formats alone: no SystemC.
#include <harmonia/hw/formats/bfp.h>
#include <harmonia/hw/formats/fp16.h>

#include <cstdio>

int main() {
  using namespace harmonia::formats;
  const float values[] = {1.0f, -0.5f, 3.14159f, 0.001f, -7.9f, 0.0625f};
  Fp16 x[6];
  to_fp16(values, 6, x);
  BfpGroup group;
  encode(kBfp8, x, 6, &group);
  std::printf("E = %d, m = %d %d %d", group.exponent, group.magnitude[0], group.magnitude[2], group.magnitude[4]);
  return group.exponent == 17 && group.magnitude[0] == 32 && group.magnitude[2] == 100 && group.magnitude[4] == 252 ? 0
                                                                                                                    : 1;
}
