/* The golden functions from C. */
#include <harmonia/hw/formats/harmonia_golden.h>
#include <stdio.h>

int main(void) {
  const float one[2] = {1.0f, -0.5f};
  uint16_t half[2];
  if (harmonia_fp32_to_fp16(one, 2, half) != HARMONIA_OK) return 1;
  printf("%04x %04x", half[0], half[1]);
  return half[0] == 0x3c00 && half[1] == 0xb800 ? 0 : 1;
}
