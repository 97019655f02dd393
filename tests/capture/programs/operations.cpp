#include "operations.h"

#include <algorithm>

#include "machine.h"

namespace luge::test {

namespace {

class Table {
 public:
  using One = std::function<Tensor(const Tensor&)>;
  using Two = std::function<Tensor(const Tensor&, const Tensor&)>;

  Operation& add(Operation operation) { return rows_.emplace_back(std::move(operation)); }

  Operation& one(const char* name, Group group, One function, double weight = 1) {
    return add({.name = name,
                .group = group,
                .inputs = 1,
                .run = [=](Machine& m, const Statement& s) { return function(m.at(s.in[0])); },
                .weight = weight});
  }
  Operation& two(const char* name, Group group, Two function, double weight = 1) {
    return add({.name = name,
                .group = group,
                .inputs = 2,
                .run = [=](Machine& m, const Statement& s) { return function(m.at(s.in[0]), m.at(s.in[1])); },
                .weight = weight});
  }
  /// One tensor and whole numbers.
  Operation& with_args(const char* name, Group group, std::vector<Domain> args,
                       std::function<Tensor(const Tensor&, const std::vector<int>&)> function) {
    return add({.name = name,
                .group = group,
                .inputs = 1,
                .args = std::move(args),
                .run = [=](Machine& m, const Statement& s) { return function(m.at(s.in[0]), s.args); }});
  }
  /// One tensor and a number.
  Operation& with_number(const char* name, Group group, std::function<Tensor(const Tensor&, double)> function,
                         double weight = 1) {
    return add({.name = name,
                .group = group,
                .inputs = 1,
                .run = [=](Machine& m, const Statement& s) { return function(m.at(s.in[0]), s.number); },
                .number = true,
                .weight = weight});
  }

  std::vector<Operation> take() { return std::move(rows_); }

 private:
  std::vector<Operation> rows_;
};

/// Functions that leave few numbers finite are rare, or most programs would compute NaN.
double weight_of(const std::string& name) {
  if (name == "heaviside") return 0;  // it has no derivative
  for (const char* rare : {"asin", "acos", "acosh", "atanh", "erfinv", "log2", "log10", "tan", "sinh", "cosh", "exp2",
                           "reciprocal", "lgamma", "digamma", "polygamma", "xlogy", "remainder", "fmod", "floor_divide"})
    if (name == rare) return 0.1;
  for (const char* rare : {"log", "rsqrt", "sqrt", "log1p", "pow", "expm1", "exp", "div", "isnan", "isfinite"})
    if (name == rare) return 0.3;
  for (const char* common : {"add", "sub", "mul"})
    if (name == common) return 4;
  return 1;
}

void add_elementwise(Table& table) {
#define LUGE_ROW(function, ...) \
  table.one(                    \
      #function, Group::Elementwise, [](const Tensor& x) { return function(x); }, weight_of(#function));
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)                                                                                       \
  table.two(                                                                                                          \
      #function, Group::Elementwise, [](const Tensor& a, const Tensor& b) { return function(a, b); },                 \
      2 * weight_of(#function));                                                                                      \
  table.with_number(                                                                                                  \
      #function, Group::Elementwise, [](const Tensor& a, double b) { return function(a, b); }, weight_of(#function)); \
  table.with_number(                                                                                                  \
      #function "_of_number", Group::Elementwise, [](const Tensor& a, double b) { return function(b, a); },           \
      0.3 * weight_of(#function));
  LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  table.with_number("leaky_relu", Group::Elementwise,
                    [](const Tensor& x, double slope) { return leaky_relu(x, slope); });
  table.one("softplus", Group::Elementwise, [](const Tensor& x) { return softplus(x); });
  table.with_number("clamp", Group::Elementwise,
                    [](const Tensor& x, double bound) { return clamp(x, bound - 1, bound + 0.5); });
  table.add({.name = "where", .group = Group::Elementwise, .inputs = 3, .run = [](Machine& m, const Statement& s) {
               return where(m.at(s.in[0]), m.at(s.in[1]), m.at(s.in[2]));
             }});
  table.add({.name = "where",
             .group = Group::Elementwise,
             .inputs = 2,
             .run = [](Machine& m, const Statement& s) { return where(m.at(s.in[0]), m.at(s.in[1]), s.number); },
             .number = true});
#define LUGE_ROW(function, ...)                                                                          \
  table.two(#function, Group::Compare, [](const Tensor& a, const Tensor& b) { return function(a, b); }); \
  table.with_number(#function, Group::Compare, [](const Tensor& a, double b) { return function(a, b); });
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...) \
  table.one(                    \
      #function, Group::Compare, [](const Tensor& x) { return function(x); }, weight_of(#function));
  LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
}

void add_views_and_copies(Table& table) {
  using enum Domain;
  const auto optional_stop = [](int stop) { return stop == kToTheEnd ? std::optional<std::int64_t>() : stop; };
  table
      .with_args(
          "slice", Group::View, {Dim, Start, Stop, Step},
          [=](const Tensor& x, const std::vector<int>& a) { return x.slice(a[0], a[1], optional_stop(a[2]), a[3]); })
      .weight = 4;
  table
      .with_args("select", Group::View, {Dim, Position},
                 [](const Tensor& x, const std::vector<int>& a) { return x.select(a[0], a[1]); })
      .weight = 2;
  table
      .with_args("transpose", Group::View, {Dim, Dim},
                 [](const Tensor& x, const std::vector<int>& a) { return x.transpose(a[0], a[1]); })
      .weight = 2;
  table.with_args("unsqueeze", Group::View, {Dim},
                  [](const Tensor& x, const std::vector<int>& a) { return x.unsqueeze(a[0]); });
  table.one(
      "squeeze", Group::View, [](const Tensor& x) { return x.squeeze(); }, 0.5);
  table.one("flatten", Group::View, [](const Tensor& x) { return x.reshape({-1}); });
  table.two("reshape_as", Group::View, [](const Tensor& x, const Tensor& like) { return x.reshape(like.shape()); });
  table.two(
      "expand_as", Group::View, [](const Tensor& x, const Tensor& like) { return x.expand(like.shape()); }, 2);
  table.one(
      "detach", Group::View, [](const Tensor& x) { return x.detach(); }, 0.5);

  table.one(
      "clone", Group::Copy, [](const Tensor& x) { return x.clone(); }, 3);
  table.one(
      "contiguous", Group::Copy, [](const Tensor& x) { return x.contiguous(); }, 2);
  table.one("to_float32", Group::Copy, [](const Tensor& x) { return x.to(float32); });
  table.one("to_float64", Group::Copy, [](const Tensor& x) { return x.to(float64); });
  table.one(
      "to_int64", Group::Copy, [](const Tensor& x) { return x.clamp(-100, 100).to(int64); }, 0.3);
  table.one(
      "to_bool", Group::Copy, [](const Tensor& x) { return x.to(boolean); }, 0.3);
  table.one(
      "zeros_like", Group::Copy, [](const Tensor& x) { return zeros_like(x); }, 0.5);
  table.one(
      "ones_like", Group::Copy, [](const Tensor& x) { return ones_like(x); }, 0.5);
  table.with_number(
      "full_like", Group::Copy, [](const Tensor& x, double value) { return full_like(x, value); }, 0.5);

  table.add(
      {.name = "cat", .group = Group::Join, .inputs = 2, .args = {Dim}, .run = [](Machine& m, const Statement& s) {
         return cat({m.at(s.in[0]), m.at(s.in[1])}, s.args[0]);
       }});
  table.add(
      {.name = "cat", .group = Group::Join, .inputs = 3, .args = {Dim}, .run = [](Machine& m, const Statement& s) {
         return cat({m.at(s.in[0]), m.at(s.in[1]), m.at(s.in[2])}, s.args[0]);
       }});
  table.add(
      {.name = "stack", .group = Group::Join, .inputs = 2, .args = {Dim}, .run = [](Machine& m, const Statement& s) {
         return stack({m.at(s.in[0]), m.at(s.in[1])}, s.args[0]);
       }});
}

void add_reductions(Table& table) {
  using enum Domain;
#define LUGE_REDUCTION(function, often)                                                                  \
  table.one(                                                                                             \
      #function, Group::Reduce, [](const Tensor& x) { return x.function(); }, often);                    \
  table                                                                                                  \
      .with_args(#function "_over", Group::Reduce, {Dim, Flag},                                          \
                 [](const Tensor& x, const std::vector<int>& a) { return x.function(a[0], a[1] != 0); }) \
      .weight = 2 * (often);
  LUGE_REDUCTION(sum, 3)
  LUGE_REDUCTION(mean, 2)
  LUGE_REDUCTION(prod, 0.5)
  LUGE_REDUCTION(max, 1)
  LUGE_REDUCTION(min, 0.5)
  LUGE_REDUCTION(argmax, 0.5)
  LUGE_REDUCTION(argmin, 0.3)
#undef LUGE_REDUCTION
  table.one("sum_over_two", Group::Reduce, [](const Tensor& x) { return x.sum({0, -1}); });
  table.one("var", Group::Reduce, [](const Tensor& x) { return x.var(); });
  table.with_args("var_over", Group::Reduce, {Dim, Flag},
                  [](const Tensor& x, const std::vector<int>& a) { return x.var(a[0], 0, a[1] != 0); });
  table.with_args("logsumexp", Group::Reduce, {Dim, Flag},
                  [](const Tensor& x, const std::vector<int>& a) { return x.logsumexp(a[0], a[1] != 0); });
  table.one(
      "all", Group::Reduce, [](const Tensor& x) { return x.all(); }, 0.5);
  table.one(
      "any", Group::Reduce, [](const Tensor& x) { return x.any(); }, 0.5);
  table.with_args("softmax", Group::Reduce, {Dim},
                  [](const Tensor& x, const std::vector<int>& a) { return x.softmax(a[0]); });
  table.with_args("log_softmax", Group::Reduce, {Dim},
                  [](const Tensor& x, const std::vector<int>& a) { return x.log_softmax(a[0]); });
}

void add_products_and_indices(Table& table) {
  using enum Domain;
  table.two(
      "matmul", Group::Linear, [](const Tensor& a, const Tensor& b) { return matmul(a, b); }, 2);
  table.two(
      "matmul_transposed", Group::Linear,
      [](const Tensor& a, const Tensor& b) { return matmul(a, b.transpose(-2, -1)); }, 2);
  table.add({.name = "linear", .group = Group::Linear, .inputs = 3, .run = [](Machine& m, const Statement& s) {
               return linear(m.at(s.in[0]), m.at(s.in[1]), m.at(s.in[2]));
             }});
  table.two("linear", Group::Linear, [](const Tensor& x, const Tensor& weight) { return linear(x, weight); });
  table.add({.name = "cross_entropy",
             .group = Group::Linear,
             .inputs = 2,
             .args = {Reduction},
             .run =
                 [](Machine& m, const Statement& s) {
                   const Tensor &logits = m.at(s.in[0]), &target = m.at(s.in[1]);
                   if (logits.ndim() != 2 || target.ndim() != 1)
                     throw ShapeError("cross_entropy: rows and their classes only");
                   return cross_entropy(logits, target, static_cast<luge::Reduction>(s.args[0]));
                 },
             .weight = 3});
  table.add({.name = "layer_norm", .group = Group::Linear, .inputs = 3, .run = [](Machine& m, const Statement& s) {
               const Tensor& x = m.at(s.in[0]);
               if (x.ndim() == 0) throw ShapeError("layer_norm: rows only");
               return layer_norm(x, {x.shape().back()}, m.at(s.in[1]), m.at(s.in[2]));
             }});
  table.one("rms_norm", Group::Linear, [](const Tensor& x) {
    if (x.ndim() == 0) throw ShapeError("rms_norm: rows only");
    return rms_norm(x, {x.shape().back()});
  });
  table.two("mse_loss", Group::Linear, [](const Tensor& a, const Tensor& b) { return mse_loss(a, b); });
  table.add(
      {.name = "index_select",
       .group = Group::Index,
       .inputs = 2,
       .args = {Dim},
       .run = [](Machine& m, const Statement& s) { return m.at(s.in[0]).index_select(s.args[0], m.at(s.in[1])); }});
  table.add(
      {.name = "gather", .group = Group::Index, .inputs = 2, .args = {Dim}, .run = [](Machine& m, const Statement& s) {
         return m.at(s.in[0]).gather(s.args[0], m.at(s.in[1]));
       }});
  table.add(
      {.name = "sort", .group = Group::Index, .inputs = 1, .args = {Dim}, .run = [](Machine& m, const Statement& s) {
         return sort(m.at(s.in[0]), s.args[0]).values;
       }});
  table.add(
      {.name = "argsort", .group = Group::Index, .inputs = 1, .args = {Dim}, .run = [](Machine& m, const Statement& s) {
         return argsort(m.at(s.in[0]), s.args[0], true);
       }});

  table.one("rand_like", Group::Random, [](const Tensor& x) { return rand_like(x); });
  table.one("randn_like", Group::Random, [](const Tensor& x) { return randn_like(x); });
  table.one("dropout", Group::Random, [](const Tensor& x) { return x * rand_like(x).gt(0.3).to(x.dtype()); });
}

void add_in_place(Table& table) {
  const auto tensor = [&](const char* name, Tensor& (Tensor::*function)(const Tensor&), double weight) {
    table.add({.name = name,
               .group = Group::InPlace,
               .inputs = 2,
               .run =
                   [=](Machine& m, const Statement& s) {
                     (m.at(s.in[0]).*function)(m.at(s.in[1]));
                     return Tensor();
                   },
               .in_place = true,
               .weight = weight});
  };
  const auto number = [&](const char* name, Tensor& (Tensor::*function)(Scalar), double weight) {
    table.add({.name = name,
               .group = Group::InPlace,
               .inputs = 1,
               .run =
                   [=](Machine& m, const Statement& s) {
                     (m.at(s.in[0]).*function)(s.number);
                     return Tensor();
                   },
               .number = true,
               .in_place = true,
               .weight = weight});
  };
  tensor("add_", &Tensor::add_, 2);
  tensor("sub_", &Tensor::sub_, 2);
  tensor("mul_", &Tensor::mul_, 1);
  tensor("div_", &Tensor::div_, 0.3);
  number("add_", &Tensor::add_, 1);
  number("sub_", &Tensor::sub_, 1);
  number("mul_", &Tensor::mul_, 1);
  number("div_", &Tensor::div_, 0.3);
  number("fill_", &Tensor::fill_, 1);
  table.add({.name = "copy_",
             .group = Group::InPlace,
             .inputs = 2,
             .run =
                 [](Machine& m, const Statement& s) {
                   m.at(s.in[0]).copy_(m.at(s.in[1]));
                   return Tensor();
                 },
             .in_place = true,
             .weight = 5});
  table.add({.name = "zero_",
             .group = Group::InPlace,
             .inputs = 1,
             .run =
                 [](Machine& m, const Statement& s) {
                   m.at(s.in[0]).zero_();
                   return Tensor();
                 },
             .in_place = true});
}

void add_training(Table& table) {
  const auto nothing = [&](const char* name, Group group, int inputs,
                           std::function<void(Machine&, const Statement&)> run) -> Operation& {
    return table.add({.name = name, .group = group, .inputs = inputs, .run = [=](Machine& m, const Statement& s) {
                        run(m, s);
                        return Tensor();
                      }});
  };
  const auto total = [](const Tensor& x) { return x.ndim() == 0 ? x : x.sum(); };
  nothing("backward", Group::Autograd, 1, [=](Machine& m, const Statement& s) {
    total(m.at(s.in[0])).backward();
  }).reads_gradients = true;
  nothing("backward_retaining", Group::Autograd, 1, [=](Machine& m, const Statement& s) {
    total(m.at(s.in[0])).backward({}, true);
  }).reads_gradients = true;
  nothing("backward_from", Group::Autograd, 2, [](Machine& m, const Statement& s) {
    m.at(s.in[0]).backward(m.at(s.in[1]));
  }).reads_gradients = true;
  table
      .one(
          "gradient_of", Group::Autograd,
          [](const Tensor& leaf) {
            const Tensor gradient = leaf.grad();
            if (!gradient.defined()) throw AutogradError("gradient_of: there is none");
            return gradient;
          },
          2)
      .reads_gradients = true;
  table.two("grad", Group::Autograd, [=](const Tensor& output, const Tensor& input) {
    return grad({total(output)}, {input}, {}, true).front();
  });
  table.two("grad_with_graph", Group::Autograd, [=](const Tensor& output, const Tensor& input) {
    return grad({total(output)}, {input}, {}, {}, true).front();
  });
  nothing(kForgetGradients, Group::Autograd, 0, [](Machine& m, const Statement&) { m.zero_grad(); });
  nothing("zero_grad_of", Group::Autograd, 1, [](Machine& m, const Statement& s) {
    m.at(s.in[0]).zero_grad();
  }).weight = 0.3;
  nothing(kFreeze, Group::Control, 1, [](Machine& m, const Statement& s) {
    Tensor& leaf = m.at(s.in[0]);
    leaf.requires_grad_(!leaf.requires_grad());
  }).refusable = true;

  nothing("optimizer.step", Group::Train, 0, [](Machine& m, const Statement&) {
    m.optimizer().step();
  }).reads_gradients = true;
  nothing("schedule.step", Group::Train, 0, [](Machine& m, const Statement&) { m.schedule().step(); });
  table.add({.name = "clip_grad_norm_",
             .group = Group::Train,
             .run = [](Machine& m,
                       const Statement& s) { return m.optimizer().parameters().clip_grad_norm_(std::abs(s.number)); },
             .number = true,
             .reads_gradients = true});
  table.add(
      {.name = "clip_grad_norm_",
       .group = Group::Train,
       .inputs = 1,
       .run = [](Machine& m, const Statement& s) { return m.optimizer().parameters().clip_grad_norm_(m.at(s.in[0])); },
       .reads_gradients = true});
  nothing("record", Group::Train, 1, [](Machine& m, const Statement& s) { m.monitor().record(m.at(s.in[0])); });
  table.add({.name = "set_lr",
             .group = Group::Train,
             .run =
                 [](Machine& m, const Statement& s) {
                   m.optimizer().set_lr(std::abs(s.number) * 0.1);
                   return Tensor();
                 },
             .number = true});

  // The variable becomes another tensor, as of an assignment in a program.
  nothing(kReplace, Group::Control, 2,
          [](Machine& m, const Statement& s) { m.replace(s.in[0], m.at(s.in[1]).detach()); });
  const auto refusable = [&](const char* name, int inputs, std::function<void(Machine&, const Statement&)> run) {
    nothing(name, Group::Control, inputs, std::move(run)).refusable = true;
  };
  refusable("item", 1, [](Machine& m, const Statement& s) { static_cast<void>(m.at(s.in[0]).sum().item()); });
  refusable("from_host", 1, [](Machine& m, const Statement& s) {
    m.at(s.in[0]).copy_(from_host(std::vector<float>{1.5f}, {1}, m.device()));
  });
  refusable("manual_seed", 0, [](Machine&, const Statement&) { manual_seed(5); });
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = [] {
    Table table;
    add_elementwise(table);
    add_views_and_copies(table);
    add_reductions(table);
    add_products_and_indices(table);
    add_in_place(table);
    add_training(table);
    return table.take();
  }();
  return all;
}

const Operation& operation(const Statement& statement) { return operations()[static_cast<std::size_t>(statement.op)]; }

int operation_number(const std::string& name, int inputs) {
  const auto& all = operations();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Operation& one) { return one.name == name && one.inputs == inputs; });
  if (found == all.end()) throw ValueError("operation_number: no " + name);
  return static_cast<int>(found - all.begin());
}

}  // namespace luge::test
