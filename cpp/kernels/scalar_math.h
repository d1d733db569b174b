// The transcendental functions, for float and double.
#pragma once

#include "kernels/hyperbolic_float.h"
#include "kernels/piecewise_float.h"
#include "kernels/power_float.h"
#include "kernels/special_math.h"
#include "kernels/trig_float.h"
