// A project that has this one as a part of itself, and uses a library of it.
#include <cstdio>

#include "harmonia/hw/formats/fp16.h"

int main() {
  harmonia::formats::Fp16 one[1];
  const float value[1] = {1.0f};
  harmonia::formats::to_fp16(value, 1, one);
  std::printf("%04x\n", one[0].bits);
  return one[0].bits == 0x3c00 ? 0 : 1;
}
