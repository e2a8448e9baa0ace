/// Results times a constant of the model, then added.
struct ScaledAdd : StreamUpdate {
  static constexpr float factor = 0.22f;
  static void update(const formats::Fp16* stream, const formats::Fp16* results, std::size_t n,
                     formats::Fp16* out) noexcept {
    for (std::size_t i = 0; i < n; ++i)
      out[i] = formats::to_fp16(formats::to_float(stream[i]) + factor * formats::to_float(results[i]));
  }
};
