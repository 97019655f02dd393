// Convolutions and their gradients against sums in float64 over every position, channel and tap.

#include <algorithm>

#include "backend_fixture.h"

namespace luge::test {
namespace {

using Role = Convolution::Role;

/// What a call's three operands and its bias are, in host memory.
struct Operands {
  Array x, w, y, bias;
};

class ConvolutionTest : public BackendTest {
 protected:
  /// Sizes and strides for a call, `shared` repeating the images of x in all sets.
  static void lay_out(Convolution& call, bool shared, std::int64_t gap) {
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t window = (call.kernel[d] - 1) * call.dilation[d] + 1;
      ASSERT_GE(call.in[d] + 2 * call.padding[d], window);
      if (call.out[d] == 0) call.out[d] = (call.in[d] + 2 * call.padding[d] - window) / call.stride[d] + 1;
    }
    const auto lay = [](Operand& operand, std::initializer_list<std::int64_t> strides) {
      operand.strides.fill(0);
      std::copy(strides.begin(), strides.end(), operand.strides.begin());
    };
    const std::int64_t x = call.x_image() + gap, y = call.y_image() + gap;
    lay(call.x, {shared ? 0 : call.batch * x + gap, x, 1});
    lay(call.y, {call.batch * y + gap, y, 1});
    lay(call.w, {call.w_set() + gap, 1});
    lay(call.bias, {bias_channels(call) + gap, 1});
  }
  static std::int64_t bias_channels(const Convolution& call) {
    return call.groups * (call.role == Role::Input ? call.in_channels : call.out_channels);
  }

  static Operands random(const Convolution& call, DType dtype, std::uint64_t seed) {
    const auto reach = [](const Operand& operand, std::int64_t sets, std::int64_t batch, std::int64_t inner) {
      return (sets - 1) * operand.strides[0] + (batch > 1 ? (batch - 1) * operand.strides[1] : 0) + inner;
    };
    Operands all{Array(dtype, reach(call.x, call.sets, call.batch, call.x_image())),
                 Array(dtype, reach(call.w, call.sets, 1, call.w_set())),
                 Array(dtype, reach(call.y, call.sets, call.batch, call.y_image())),
                 Array(dtype, reach(call.bias, call.sets, 1, bias_channels(call)))};
    Chooser choose(seed);
    for (Array* const array : {&all.x, &all.w, &all.y, &all.bias}) choose.fill(*array, -1, 1);
    return all;
  }
  static Array& result_of(Operands& all, Role role) {
    return role == Role::Output ? all.y : role == Role::Input ? all.x : all.w;
  }

  /// Visits every product: visit(x's place, w's place, y's place, channel of the bias).
  template <class Visit>
  static void for_each_term(const Convolution& c, std::int64_t set, const Visit& visit) {
    const std::int64_t in = Convolution::product(c.in), out = Convolution::product(c.out), taps = Convolution::product(c.kernel);
    for (std::int64_t n = 0; n < c.batch; ++n)
      for (std::int64_t g = 0; g < c.groups; ++g)
        for (std::int64_t k = 0; k < c.out_channels; ++k)
          for (std::int64_t ch = 0; ch < c.in_channels; ++ch)
            for (std::int64_t o = 0; o < out; ++o)
              for (std::int64_t t = 0; t < taps; ++t) {
                std::int64_t position = o, tap = t, place = 0, step = 1;
                bool inside = true;
                for (int d = 2; d >= 0; --d) {
                  const auto at = static_cast<std::size_t>(d);
                  const std::int64_t i = position % c.out[at] * c.stride[at] - c.padding[at] + tap % c.kernel[at] * c.dilation[at];
                  position /= c.out[at];
                  tap /= c.kernel[at];
                  inside = inside && i >= 0 && i < c.in[at];
                  place += i * step;
                  step *= c.in[at];
                }
                if (!inside) continue;
                visit(set * c.x.strides[0] + n * c.x.strides[1] + (g * c.in_channels + ch) * in + place,
                      set * c.w.strides[0] + ((g * c.out_channels + k) * c.in_channels + ch) * taps + t,
                      set * c.y.strides[0] + n * c.y.strides[1] + (g * c.out_channels + k) * out + o);
              }
  }

  static std::vector<double> expected(const Convolution& c, Operands& all, bool biased) {
    Array& result = result_of(all, c.role);
    std::vector<double> sums(static_cast<std::size_t>(result.count()));
    for (std::int64_t i = 0; i < result.count(); ++i) sums[static_cast<std::size_t>(i)] = result.get(i);
    const bool is_image = c.role != Role::Weight;
    const Operand& operand = c.role == Role::Output ? c.y : c.role == Role::Input ? c.x : c.w;
    const std::int64_t images = is_image ? c.batch : 1;
    const std::int64_t inner = c.role == Role::Output ? c.y_image() : c.role == Role::Input ? c.x_image() : c.w_set();
    for (std::int64_t s = 0; s < c.sets; ++s) {
      for (std::int64_t n = 0; n < images; ++n)
        for (std::int64_t i = 0; i < inner; ++i) {
          double& sum = sums[static_cast<std::size_t>(s * operand.strides[0] + (is_image ? n * operand.strides[1] : 0) + i)];
          if (c.store == Store::Overwrite) sum = 0;
          if (biased) sum += all.bias.get(s * c.bias.strides[0] + i / (inner / bias_channels(c)));
        }
      for_each_term(c, s, [&](std::int64_t x, std::int64_t w, std::int64_t y) {
        if (c.role == Role::Output)
          sums[static_cast<std::size_t>(y)] += all.x.get(x) * all.w.get(w);
        else if (c.role == Role::Input)
          sums[static_cast<std::size_t>(x)] += all.y.get(y) * all.w.get(w);
        else
          sums[static_cast<std::size_t>(w)] += all.x.get(x) * all.y.get(y);
      });
    }
    return sums;
  }

  Array run(Convolution call, Operands& all, bool biased) {
    DeviceArray x(backend(), all.x), w(backend(), all.w), y(backend(), all.y), bias(backend(), all.bias);
    const auto give = [](Operand& operand, DeviceArray& array) {
      const auto strides = operand.strides;
      operand = array.window();
      operand.strides = strides;
    };
    give(call.x, x);
    give(call.w, w);
    give(call.y, y);
    if (biased) give(call.bias, bias);
    backend().run(call);
    return (call.role == Role::Output ? y : call.role == Role::Input ? x : w).download();
  }

  /// Every role, dtype and store of a call.
  void check(Convolution call, bool shared = false, std::int64_t gap = 0) {
    for (const Role role : {Role::Output, Role::Input, Role::Weight})
      for (const DType dtype : {float32, float64})
        for (const Store store : {Store::Overwrite, Store::Accumulate})
          for (const bool biased : {false, true}) {
            if (biased && (store == Store::Accumulate || role == Role::Weight)) continue;
            if (shared && role == Role::Input) continue;
            call.role = role;
            call.store = store;
            lay_out(call, shared, gap);
            Operands all = random(call, dtype, 7);
            const std::vector<double> wanted = expected(call, all, biased);
            const Array found = run(call, all, biased);
            const double terms = role == Role::Output  ? static_cast<double>(call.w_set()) / static_cast<double>(call.out_channels)
                                 : role == Role::Input ? static_cast<double>(call.w_set()) / static_cast<double>(call.in_channels)
                                                       : static_cast<double>(call.batch * Convolution::product(call.out));
            const double tolerance = epsilon(dtype) * (8 + terms);
            for (std::int64_t i = 0; i < found.count(); ++i)
              ASSERT_TRUE(close(found.get(i), wanted[static_cast<std::size_t>(i)], tolerance))
                  << call.name() << " " << name(dtype) << (store == Store::Accumulate ? " accumulated" : "")
                  << (biased ? " with bias" : "") << ", element " << i << ": " << found.get(i) << " and not "
                  << wanted[static_cast<std::size_t>(i)];
          }
  }
};
LUGE_ON_EVERY_DEVICE(ConvolutionTest);

TEST_P(ConvolutionTest, OfOneTwoAndThreeDimensions) {
  check({.dims = 1, .batch = 2, .in_channels = 3, .out_channels = 2, .in = {1, 1, 11}, .out = {0, 0, 0}, .kernel = {1, 1, 3}});
  check({.batch = 3, .in_channels = 2, .out_channels = 5, .in = {1, 7, 6}, .out = {0, 0, 0}, .kernel = {1, 3, 2}});
  check({.dims = 3, .batch = 2, .in_channels = 2, .out_channels = 3, .in = {4, 5, 3}, .out = {0, 0, 0}, .kernel = {2, 3, 2}});
}

TEST_P(ConvolutionTest, PadsAndSkipsAndSpreads) {
  check({.batch = 2, .in_channels = 2, .out_channels = 3, .in = {1, 9, 8}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}});
  check({.batch = 2, .in_channels = 2, .out_channels = 3, .in = {1, 9, 8}, .out = {0, 0, 0}, .kernel = {1, 3, 2}, .stride = {1, 2, 3}, .padding = {0, 1, 0}});
  check({.batch = 1, .in_channels = 2, .out_channels = 2, .in = {1, 9, 10}, .out = {0, 0, 0}, .kernel = {1, 3, 2}, .dilation = {1, 2, 3}, .padding = {0, 2, 1}});
  check({.batch = 1, .in_channels = 1, .out_channels = 2, .in = {1, 11, 10}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .dilation = {1, 3, 2}, .padding = {0, 4, 3}});
  check({.dims = 3, .batch = 1, .in_channels = 2, .out_channels = 2, .in = {5, 4, 6}, .out = {0, 0, 0}, .kernel = {2, 2, 3}, .stride = {2, 1, 2}, .dilation = {1, 2, 1}, .padding = {1, 0, 2}});
}

TEST_P(ConvolutionTest, LeavesPositionsThatNoTapSees) {
  check({.batch = 2, .in_channels = 2, .out_channels = 2, .in = {1, 7, 8}, .out = {0, 0, 0}, .kernel = {1, 1, 1}, .stride = {1, 2, 3}});
  check({.dims = 1, .batch = 2, .in_channels = 2, .out_channels = 2, .in = {1, 1, 9}, .out = {0, 0, 0}, .kernel = {1, 1, 2}, .stride = {1, 1, 5}});
}

TEST_P(ConvolutionTest, ComputesFewerPositionsThanThereAre) {
  check({.batch = 2, .in_channels = 2, .out_channels = 2, .in = {1, 9, 9}, .out = {1, 3, 4}, .kernel = {1, 3, 3}, .stride = {1, 2, 1}, .padding = {0, 1, 1}});
}

TEST_P(ConvolutionTest, OfGroups) {
  check({.batch = 2, .groups = 3, .in_channels = 2, .out_channels = 2, .in = {1, 6, 7}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}});
  check({.batch = 2, .groups = 5, .in_channels = 1, .out_channels = 1, .in = {1, 6, 20}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}});
  check({.batch = 2, .groups = 4, .in_channels = 1, .out_channels = 2, .in = {1, 7, 9}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}});
}

TEST_P(ConvolutionTest, OfSetsWhoseImagesAreTheirOwnOrShared) {
  const Convolution call{.sets = 3, .batch = 2, .groups = 2, .in_channels = 2, .out_channels = 3, .in = {1, 6, 5}, .out = {0, 0, 0}, .kernel = {1, 3, 2}, .padding = {0, 1, 1}};
  check(call);
  check(call, true);
  check(call, false, 3);
  check(call, true, 2);
}

TEST_P(ConvolutionTest, OfManyPositionsChannelsAndImages) {
  check({.batch = 3, .in_channels = 17, .out_channels = 19, .in = {1, 17, 18}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}});
  check({.batch = 1, .in_channels = 130, .out_channels = 3, .in = {1, 5, 5}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}});
  check({.batch = 20, .in_channels = 1, .out_channels = 8, .in = {1, 12, 12}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}});
  check({.batch = 2, .in_channels = 3, .out_channels = 4, .in = {1, 5, 4}, .out = {0, 0, 0}, .kernel = {1, 5, 4}});
}

TEST_P(ConvolutionTest, OfHalves) {
  Convolution call{.batch = 2, .in_channels = 2, .out_channels = 3, .in = {1, 6, 5}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}};
  for (const DType dtype : {float16, bfloat16}) {
    lay_out(call, false, 0);
    Operands all = random(call, dtype, 3);
    const std::vector<double> wanted = expected(call, all, true);
    const Array found = run(call, all, true);
    for (std::int64_t i = 0; i < found.count(); ++i)
      ASSERT_TRUE(close(found.get(i), wanted[static_cast<std::size_t>(i)], (dtype == float16 ? 0x1p-10 : 0x1p-7) * 8));
  }
}

TEST_P(ConvolutionTest, AnImageAndASetAloneHaveTheSameBits) {
  for (const Role role : {Role::Output, Role::Input, Role::Weight}) {
    Convolution call{.role = role, .sets = 3, .batch = 5, .in_channels = 6, .out_channels = 9, .in = {1, 10, 11}, .out = {0, 0, 0}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}};
    lay_out(call, role != Role::Input, 0);
    Operands all = random(call, float32, 11);
    const Array whole = run(call, all, false);
    const auto part = [](const Array& array, std::int64_t from, std::int64_t count) {
      Array result(array.dtype(), count);
      for (std::int64_t i = 0; i < count; ++i) result.set(i, array.get(from + i));
      return result;
    };
    for (std::int64_t s = 0; s < call.sets; ++s) {
      Operands own{part(all.x, s * call.x.strides[0], call.batch * call.x_image()), part(all.w, s * call.w.strides[0], call.w_set()),
                   part(all.y, s * call.y.strides[0], call.batch * call.y_image()), part(all.bias, 0, 1)};
      Convolution one = call;
      one.sets = 1;
      const Array alone = run(one, own, false);
      const std::int64_t from = s * (role == Role::Output ? call.y : role == Role::Input ? call.x : call.w).strides[0];
      for (std::int64_t i = 0; i < alone.count(); ++i) ASSERT_TRUE(alone.same_bits(i, whole, from + i)) << one.name() << ", set " << s;
      if (role == Role::Weight) continue;
      Operands last = own;
      const std::int64_t image = role == Role::Output ? call.y_image() : call.x_image();
      last.x = part(own.x, (call.batch - 1) * call.x_image(), call.x_image());
      last.y = part(own.y, (call.batch - 1) * call.y_image(), call.y_image());
      one.batch = 1;
      const Array single = run(one, last, false);
      for (std::int64_t i = 0; i < image; ++i)
        ASSERT_TRUE(single.same_bits(i, alone, (call.batch - 1) * image + i)) << one.name() << ", last image of set " << s;
    }
  }
}

}  // namespace
}  // namespace luge::test
