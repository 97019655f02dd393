#pragma once

namespace luge {

/// Threads that CPU kernels may use. The default is the environment variable LUGE_NUM_THREADS if it is
/// a positive number, else the number of processors this process may run on. Results never depend on it.
int num_threads();

/// Sets the number of threads of CPU kernels started from now on. Throws ValueError below 1.
void set_num_threads(int threads);

}  // namespace luge
