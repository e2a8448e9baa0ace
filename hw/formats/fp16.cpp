#include "harmonia/formats/fp16.h"
