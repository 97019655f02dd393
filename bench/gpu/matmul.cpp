// Products of many tiny matrices, of the MLP's layers, and one large one.

#include <fmt/format.h>

#include <luge/ops/matmul.h>

#include "../micro/inputs.h"
#include "session.h"

namespace luge::bench {

void measure_matmul(const Session& session) {
  struct Size {
    std::int64_t batch, m, k, n;
  };
  const std::int64_t many = session.size(100'000, 100), large = session.size(8192, 96);
  const Size sizes[] = {{many, 2, 2, 2},    {many, 4, 4, 4},  {many, 8, 8, 8}, {many, 16, 16, 16},
                        {many, 32, 32, 32}, {1, 64, 784, 256}, {1, large, large, large}};
  for (const Size& s : sizes) {
    const auto count = static_cast<double>(s.batch);
    const double bytes = 4 * count * static_cast<double>(s.m * s.k + s.k * s.n + s.m * s.n);
    const double flops = 2 * count * static_cast<double>(s.m * s.k * s.n);
    session.measure({.name = fmt::format("matmul/{}x{}x{}x{}", s.batch, s.m, s.k, s.n), .bytes = bytes, .flops = flops}, [&] {
      const Tensor a = uniform({s.batch, s.m, s.k}, -1, 1, session.device());
      const Tensor b = uniform({s.batch, s.k, s.n}, -1, 1, session.device());
      return Work{.step = [=] { matmul(a, b); },
                  .error = [=] {
                    // Some matrices, some of their rows: as much as the host computes in an instant.
                    const auto part = [](const Tensor& t) { return t.slice(0, 0, std::min<std::int64_t>(t.size(0), 100)); };
                    const auto rows = [&](const Tensor& t) { return part(t).slice(1, 0, std::min<std::int64_t>(t.size(1), 32)).contiguous(); };
                    return relative_error(rows(matmul(a, b)), matmul(exact(rows(a)), exact(part(b).contiguous())));
                  }};
    });
  }
}

}  // namespace luge::bench
