/* Between SystemVerilog's open arrays and the pointers of harmonia_golden.h: compiled with the testbench, against the
 * simulator's own svdpi.h, as C or as C++. */
#include <stddef.h>
#include <string.h>

#include "harmonia_golden.h"
#include "svdpi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An array's memory when it lies there as C has it; null otherwise, which the library refuses. */
static void* memory_of(const svOpenArrayHandle array, size_t element_bytes) {
  if (svDimensions(array) != 1 || (size_t)svSizeOfArray(array) != (size_t)svSize(array, 1) * element_bytes) return NULL;
  return svGetArrayPtr(array);
}
static uint64_t size_of(const svOpenArrayHandle array) { return (uint64_t)svSize(array, 1); }

int harmonia_dpi_bfp_row_bytes(int group_size, int mantissa_bits, uint64_t n, uint64_t* bytes) {
  return harmonia_bfp_row_bytes(group_size, mantissa_bits, n, bytes);
}
int harmonia_dpi_bfp_encode(int group_size, int mantissa_bits, int rounding, const svOpenArrayHandle x,
                            const svOpenArrayHandle stored, uint64_t* nonfinite) {
  return harmonia_bfp_encode(group_size, mantissa_bits, rounding, (uint16_t*)memory_of(x, 2), size_of(x),
                             (uint8_t*)memory_of(stored, 1), size_of(stored), nonfinite);
}
int harmonia_dpi_bfp_decode_fp16(int group_size, int mantissa_bits, const svOpenArrayHandle stored,
                                 const svOpenArrayHandle x) {
  return harmonia_bfp_decode_fp16(group_size, mantissa_bits, (uint8_t*)memory_of(stored, 1), size_of(stored),
                                  size_of(x), (uint16_t*)memory_of(x, 2));
}
int harmonia_dpi_bfp_append(int group_size, int mantissa_bits, uint16_t x, int count, const svOpenArrayHandle stored) {
  return harmonia_bfp_append(group_size, mantissa_bits, x, count, (uint8_t*)memory_of(stored, 1), size_of(stored));
}
int harmonia_dpi_bfp_demote_8_to_4(int group_size, const svOpenArrayHandle stored8, uint64_t groups,
                                   const svOpenArrayHandle stored4) {
  return harmonia_bfp_demote_8_to_4(group_size, (uint8_t*)memory_of(stored8, 1), size_of(stored8), groups,
                                    (uint8_t*)memory_of(stored4, 1), size_of(stored4));
}
int harmonia_dpi_pe_partial_bfp(int group_size, int a_bits, const svOpenArrayHandle a, int b_bits,
                                const svOpenArrayHandle b, int32_t* partial_sum) {
  return harmonia_pe_partial_bfp(group_size, a_bits, (uint8_t*)memory_of(a, 1), size_of(a), b_bits,
                                 (uint8_t*)memory_of(b, 1), size_of(b), partial_sum);
}
int harmonia_dpi_pe_partial_int(int group_size, int a_bits, const svOpenArrayHandle a, const svOpenArrayHandle w,
                                int32_t* partial_sum) {
  if (size_of(w) < (uint64_t)group_size) return HARMONIA_BAD_LENGTH;
  return harmonia_pe_partial_int(group_size, a_bits, (uint8_t*)memory_of(a, 1), size_of(a), (int16_t*)memory_of(w, 2),
                                 partial_sum);
}
int harmonia_dpi_pe_partial_1bit(int group_size, int a_bits, const svOpenArrayHandle a, const svOpenArrayHandle codes,
                                 int q0, int q1, int32_t* partial_sum) {
  return harmonia_pe_partial_1bit(group_size, a_bits, (uint8_t*)memory_of(a, 1), size_of(a),
                                  (uint8_t*)memory_of(codes, 1), size_of(codes), q0, q1, partial_sum);
}
int harmonia_dpi_pe_dot_bfp(int group_size, int a_bits, const svOpenArrayHandle a, int b_bits,
                            const svOpenArrayHandle b, uint64_t n, uint32_t* fp32_bits, uint16_t* fp16) {
  float sum = 0;
  const int code = harmonia_pe_dot_bfp(group_size, a_bits, (uint8_t*)memory_of(a, 1), size_of(a), b_bits,
                                       (uint8_t*)memory_of(b, 1), size_of(b), n, &sum, fp16);
  if (code == HARMONIA_OK) memcpy(fp32_bits, &sum, 4);
  return code;
}
int harmonia_dpi_smoothing_subtract(const svOpenArrayHandle channels, const svOpenArrayHandle offsets, uint64_t count,
                                    const svOpenArrayHandle key) {
  if (count > size_of(channels) || count > size_of(offsets)) return HARMONIA_BAD_LENGTH;
  return harmonia_smoothing_subtract((uint16_t*)memory_of(channels, 2), (uint16_t*)memory_of(offsets, 2), count,
                                     (uint16_t*)memory_of(key, 2), size_of(key));
}
int harmonia_dpi_kmeans_decode_int8(int index_bits, const svOpenArrayHandle table, const svOpenArrayHandle packed,
                                    uint64_t cols, const svOpenArrayHandle q) {
  if (index_bits < 1 || index_bits > 8 || size_of(table) < (1u << index_bits) || size_of(q) < cols)
    return HARMONIA_BAD_LENGTH;
  return harmonia_kmeans_decode_int8(index_bits, (int8_t*)memory_of(table, 1), (uint8_t*)memory_of(packed, 1),
                                     size_of(packed), cols, (int8_t*)memory_of(q, 1));
}

#ifdef __cplusplus
}
#endif
