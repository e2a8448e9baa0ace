#include "harmonia/hw/formats/nf4.h"

namespace harmonia::formats {

const Codebook& nf4_codebook() {
  static const Codebook codebook =
      make_codebook({-1, -.6961928F, -.5250731F, -.3949175F, -.2844414F, -.1847734F, -.0910500F, 0, .0795803F,
                     .1609302F, .2461123F, .3379152F, .4407098F, .5626170F, .7229568F, 1});
  return codebook;
}

const Codebook& fp4_codebook() {
  static const Codebook codebook =
      make_codebook({-6 / 6.F, -4 / 6.F, -3 / 6.F, -2 / 6.F, -1.5F / 6, -1 / 6.F, -.5F / 6, 0, 0, .5F / 6, 1 / 6.F,
                     1.5F / 6, 2 / 6.F, 3 / 6.F, 4 / 6.F, 6 / 6.F});
  return codebook;
}

}  // namespace harmonia::formats
