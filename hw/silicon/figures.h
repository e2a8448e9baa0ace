// The committed measurements, docs/area.json, as the build found them.
//
// Models: its part `cells` without the single blocks, as a JSON text. Does not model: anything.
#pragma once

namespace harmonia::silicon {

const char* measured_figures();

}  // namespace harmonia::silicon
