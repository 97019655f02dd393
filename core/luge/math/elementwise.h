// Every elementwise formula of luge, forward and derivative side by side, once, by family: formula.h says what one is.
// A row of op_table.h says what is made of it.
#include <luge/math/activations.h>
#include <luge/math/arithmetic.h>
#include <luge/math/logic.h>
#include <luge/math/transcendental.h>
