#include "generate.h"

#include <algorithm>
#include <array>

#include "machine.h"
#include "operations.h"

namespace luge::test {

namespace {

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers from every standard library.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int below(std::size_t count) { return static_cast<int>(next() % count); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double probability) { return uniform() < probability; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(list.size()))];
  }
  std::size_t weighted(const std::vector<double>& weights) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    double left = uniform() * sum;
    for (std::size_t i = 0; i < weights.size(); ++i)
      if ((left -= weights[i]) < 0) return i;
    return weights.size() - 1;
  }

 private:
  std::uint64_t state_;
};

constexpr std::size_t kGroups = static_cast<std::size_t>(Group::Count);
using Weights = std::array<double, kGroups>;

struct Style {
  /// elementwise, compare, copy, view, join, reduce, linear, index, random, in place, autograd, train, control
  Weights groups;
  bool one_shape;  ///< all tensors of n elements or one
  bool trains;
};

const std::vector<Style> kStyles = {
    {{8, 1, 3, 0, 0, 0.5, 0, 0, 0, 6, 0.3, 0, 0.05}, true, false},      // one chain
    {{4, 0.5, 3, 6, 2, 2, 0.5, 1, 0.5, 7, 0.3, 0, 0.1}, false, false},  // views, and writes through them
    {{8, 0.5, 1, 0.3, 0, 1, 0, 0, 0.2, 1, 0.5, 0.3, 0.05}, true, true},
    {{6, 0.5, 2, 2, 1, 3, 2, 1, 0.5, 2, 1, 0.5, 0.1}, false, true},
    {{6, 1, 2, 3, 1, 3, 2, 1, 1, 5, 2, 0.3, 0.3}, false, true},
};

constexpr std::int64_t kMostElements = 60000;

class Generator {
 public:
  Generator(std::uint64_t seed, std::int64_t most) : dice_(seed), most_(most) { program_.seed = seed; }

  Program make() {
    style_ = dice_.of(kStyles);
    choose_options();
    declare();
    Machine machine(program_, Device::cpu());
    machine_ = &machine;
    make_body();
    make_results();
    machine.end_step();
    make_parts();
    if (dice_.chance(0.01)) make_it_throw();
    return std::move(program_);
  }

 private:
  void choose_options() {
    const std::vector<std::int64_t> common = {1, 2, 3, 5, 16, 17}, edges = {1000, 1025, 4097};
    program_.sizes.n = dice_.chance(0.12) ? dice_.of(edges) : dice_.of(common);
    if (dice_.chance(0.01)) program_.sizes.n = 0;
    program_.sizes.n = std::min(program_.sizes.n, most_);
    program_.sizes.r = dice_.of(std::vector<std::int64_t>{1, 2, 3, 7});
    program_.sizes.c = dice_.of(std::vector<std::int64_t>{1, 2, 3, 4, 17});
    program_.dtype = dice_.chance(0.5) ? float32 : float64;
    program_.keep_gradients = dice_.chance(0.7);
    program_.kept_losses = dice_.chance(0.3) ? 1 : 0;
    program_.capacity = dice_.chance(0.3) ? 5 : 64;
    if (!style_.trains) return;
    program_.owner = static_cast<Owner>(dice_.weighted({1, 2, 2, 4}));
    program_.rule = static_cast<Rule>(dice_.below(7));
    program_.lr_per_set = dice_.chance(0.4);
    if (dice_.chance(0.4)) program_.decay = static_cast<Decay>(1 + dice_.below(4));
    if (style_.one_shape && dice_.chance(0.5))
      program_.sizes.r = std::max<std::int64_t>(program_.sizes.n, 1);  // many sets of one number
  }

  void declare() {
    using enum Size;
    const std::vector<std::vector<Size>> any = {{},     {N}, {R, N}, {R, One}, {One, N},  {N, R},
                                                {R, C}, {C}, {N, C}, {C, N},   {R, C, N}, {R}};
    const std::vector<std::vector<Size>> one = {{N}, {N}, {N}, {}, {One}};
    const std::vector<std::vector<Size>> sets = {{R}, {R, N}, {R, One}, {R, C}, {R, C, N}};
    const auto& shapes = style_.one_shape ? one : any;
    const bool special = dice_.chance(0.06), ties = dice_.chance(0.2);
    const auto add = [&](Declared declared) {
      declared.id = static_cast<int>(program_.tensors.size());
      program_.tensors.push_back(std::move(declared));
    };
    const std::vector<Size> favourite = dice_.of(shapes);
    const int count = 2 + dice_.below(4);
    for (int i = 0; i < count; ++i) {
      Declared declared;
      declared.shape = dice_.chance(0.4) ? favourite : dice_.of(shapes);
      declared.dtype =
          dice_.chance(0.9) ? program_.dtype : dice_.of(std::vector<DType>{float32, float64, int64, boolean});
      declared.fill = special && dice_.chance(0.5) ? Fill::Special
                      : ties && dice_.chance(0.5)  ? Fill::Ties
                                                   : Fill::Normal;
      if (!is_floating(declared.dtype)) declared.fill = Fill::Ties;
      add(declared);
    }
    if (style_.trains) {
      const int leaves = 1 + dice_.below(3);
      for (int i = 0; i < leaves; ++i) {
        const bool by_set = program_.owner == Owner::Sets;
        add({.shape = by_set ? (style_.one_shape ? std::vector<Size>{R} : dice_.of(sets)) : dice_.of(shapes),
             .trains = true});
      }
    }
    if (!style_.one_shape)
      for (const Size limit : {N, C})
        if (dice_.chance(0.4))
          add({.shape = {dice_.chance(0.5) ? R : N}, .dtype = int64, .fill = Fill::Index, .limit = limit});
    if (dice_.chance(0.2)) add({.fill = Fill::Nothing});
    next_ = static_cast<int>(program_.tensors.size());
  }

  // ---- statements

  void make_body() {
    const bool forgets = style_.trains && dice_.chance(0.8);
    if (forgets) append("zero_grad", {});
    several(1 + dice_.below(7));
    if (style_.trains) {
      train();
      several(dice_.below(4));
      if (dice_.chance(0.15)) {
        train();
        several(dice_.below(3));
      }
    } else {
      several(dice_.below(8));
    }
    if (dice_.chance(0.3)) swap();
    if (program_.body.empty()) several(3);
    if (!program_.reads_only_kept_gradients()) program_.keep_gradients = true;
  }

  void several(int count) {
    for (int i = 0; i < count; ++i)
      if (dice_.chance(0.04))
        swap();
      else
        any_statement(program_.body, style_.groups);
  }

  /// Loss, backward, and what becomes of the gradients.
  void train() {
    const auto trains = [&](int id) { return machine_->has(id) && machine_->at(id).requires_grad(); };
    std::vector<int> leaves, results;
    for (int id = 0; id < next_; ++id)
      if (trains(id)) (program_.declared(id) ? leaves : results).push_back(id);
    if (leaves.empty()) return;
    // What nothing reads comes last, and often enough it is the loss.
    int loss = results.empty() ? leaves.front() : dice_.chance(0.6) ? results.back() : dice_.of(results);
    for (const int leaf : leaves)
      if (dice_.chance(0.5) && append("mul", {loss, leaf})) loss = next_ - 1;
    if (program_.owner == Owner::Sets && machine_->at(loss).ndim() > 1 && dice_.chance(0.6) &&
        append("mean_over", {loss}, {-1, 0}))
      loss = next_ - 1;
    if (!append("backward", {loss})) return;
    if (dice_.chance(0.3)) append("record", {loss});
    if (program_.owner == Owner::Nobody) {
      const int leaf = dice_.of(leaves);
      if (!append("gradient_of", {leaf})) return;
      if (!append("mul", {next_ - 1}, {}, 0.1)) return;
      append("sub_", {leaf, next_ - 1}, {}, 0, true);
      return;
    }
    if (dice_.chance(0.25)) append("clip_grad_norm_", {}, {}, 0.5);
    if (dice_.chance(0.9)) append("optimizer.step", {});
    if (program_.decay != Decay::None && dice_.chance(0.9)) append("schedule.step", {});
  }

  /// Two tensors of one shape, through a third.
  void swap() {
    for (int attempt = 0; attempt < 10; ++attempt) {
      const int a = some_variable(), b = like(a);
      if (a == b || !(machine_->at(a).shape() == machine_->at(b).shape())) continue;
      if (!append("clone", {a}, {}, 0, true)) return;
      const int kept = next_ - 1;
      append("copy_", {a, b}, {}, 0, true);
      append("copy_", {b, kept}, {}, 0, true);
      return;
    }
  }

  bool append(const char* name, std::vector<int> in, std::vector<int> args = {}, double number = 1,
              bool no_grad = false) {
    // Of two operations of this name the one with a number has fewer inputs.
    Statement statement{.op = operation_number(name, static_cast<int>(in.size())),
                        .in = std::move(in),
                        .args = std::move(args),
                        .number = number,
                        .no_grad = no_grad};
    return try_out(program_.body, statement);
  }

  bool any_statement(std::vector<Statement>& list, const Weights& groups) {
    const auto& all = operations();
    for (int attempt = 0; attempt < 30; ++attempt) {
      const auto group = static_cast<Group>(dice_.weighted({groups.begin(), groups.end()}));
      std::vector<double> weights;
      for (const Operation& op : all) weights.push_back(op.group == group ? op.weight : 0);
      Statement statement{.op = static_cast<int>(dice_.weighted(weights))};
      const Operation& op = operation(statement);
      if (op.group != group) continue;
      for (int i = 0; i < op.inputs; ++i) statement.in.push_back(input(op, statement.in));
      for (const Domain domain : op.args) statement.args.push_back(argument(domain));
      statement.number = dice_.of(std::vector<double>{0, 1, -1, 0.5, 2, -0.1, 3, 0.01});
      statement.no_grad = dice_.chance(op.in_place ? 0.5 : 0.05);
      if (try_out(list, statement)) return true;
      if (!op.in_place || statement.no_grad) continue;
      statement.no_grad = true;
      if (try_out(list, statement)) return true;
    }
    return false;
  }

  int some_variable() {
    std::vector<int> ids;
    for (int id = 0; id < next_; ++id)
      if (machine_->has(id)) ids.push_back(id);
    const std::size_t recent = std::min<std::size_t>(4, ids.size());
    if (dice_.chance(0.4)) return ids[ids.size() - 1 - static_cast<std::size_t>(dice_.below(recent))];
    return dice_.of(ids);
  }

  /// A variable of the same shape, if there is another.
  int like(int id) {
    if (!machine_->has(id)) return some_variable();
    std::vector<int> ids;
    for (int other = 0; other < next_; ++other)
      if (other != id && machine_->has(other) && machine_->at(other).shape() == machine_->at(id).shape())
        ids.push_back(other);
    return ids.empty() ? some_variable() : dice_.of(ids);
  }

  int declared_variable() { return dice_.of(program_.tensors).id; }

  int input(const Operation& op, const std::vector<int>& before) {
    if (before.empty()) {
      if (op.name == kReplace || (op.in_place && dice_.chance(0.7))) return declared_variable();
      return some_variable();
    }
    return dice_.chance(0.6) ? like(before.front()) : some_variable();
  }

  int argument(Domain domain) {
    switch (domain) {
      case Domain::Dim: return dice_.of(std::vector<int>{-1, 0, 0, 1, 2});
      case Domain::Start: return dice_.of(std::vector<int>{0, 0, 1, 2, -2});
      case Domain::Stop: return dice_.of(std::vector<int>{kToTheEnd, kToTheEnd, -1, -2, 1});
      case Domain::Step: return dice_.of(std::vector<int>{1, 1, 1, 2, 3});
      case Domain::Position: return dice_.of(std::vector<int>{0, 1, -1});
      case Domain::Flag: return dice_.below(2);
      case Domain::Reduction: return dice_.below(3);
    }
    return 0;
  }

  bool too_large(const Statement& statement) {
    if (statement.in.size() < 2) return false;
    if (operation(statement).name == kReplace) return false;
    const Tensor &a = machine_->at(statement.in[0]), &b = machine_->at(statement.in[1]);
    if (a.shape() == b.shape()) return false;
    if (operation(statement).group == Group::Linear || operation(statement).group == Group::Index)
      return a.numel() * b.numel() > (1 << 20);
    try {
      return element_count(broadcast_shapes("program", a.shape(), b.shape())) > kMostElements;
    } catch (const Error&) {
      return false;
    }
  }

  /// Runs the statement; keeps it if it may stand in a program.
  bool try_out(std::vector<Statement>& list, Statement statement) {
    const Operation& op = operation(statement);
    for (std::size_t i = op.name == kReplace ? 1 : 0; i < statement.in.size(); ++i)
      if (!machine_->has(statement.in[i])) return false;
    if (too_large(statement)) return false;
    statement.out = next_;
    try {
      if (!op.refusable || op.name == kFreeze) machine_->run(statement);
    } catch (const std::exception&) {
      return false;
    }
    if (machine_->has(next_))
      ++next_;
    else
      statement.out = -1;
    list.push_back(std::move(statement));
    return true;
  }

  // ---- around the step

  void make_results() {
    const int count = dice_.below(4);
    for (int i = 0; i < count; ++i) {
      const int id = dice_.chance(0.8) && next_ > static_cast<int>(program_.tensors.size())
                         ? static_cast<int>(program_.tensors.size()) +
                               dice_.below(static_cast<std::size_t>(next_) - program_.tensors.size())
                         : some_variable();
      if (machine_->has(id)) program_.results.push_back(id);
    }
  }

  void make_parts() {
    const Weights between = {1, 0.1, 0.5, 1, 0, 0.2, 0, 0, 1, 8, 0.5, style_.trains ? 2.0 : 0.0, 0.15};
    const int count = 2 + dice_.below(3);
    for (int p = 0; p < count; ++p) {
      Part part;
      if (p > 0 && dice_.chance(0.4)) {
        const int statements = 1 + dice_.below(3);
        for (int i = 0; i < statements; ++i) any_statement(part.before, between);
        machine_->end_step();
      }
      part.eagerly = p > 0 && dice_.chance(0.12);
      const std::size_t length = dice_.weighted({6, 3, 1, 0.15, 0.05});
      part.steps = length == 0   ? 1
                   : length == 1 ? 2 + dice_.below(3)
                   : length == 2 ? 5 + dice_.below(6)
                   : length == 3 ? 33
                                 : 130;
      if (program_.sizes.n > 100) part.steps = std::min(part.steps, 10);
      program_.parts.push_back(std::move(part));
      if (program_.has(kReplace)) program_.parts.back().eagerly = false;
      if (program_.reads_only_kept_gradients() && !program_.renames_owned_leaf()) continue;
      program_.parts.back().before.clear();
      program_.parts.back().eagerly = false;
    }
  }

  /// Somewhere shapes do not fit.
  void make_it_throw() {
    const int tensor = program_.tensors.front().id;
    Statement ones{.op = operation_number("unsqueeze", 1), .out = next_++, .in = {tensor}, .args = {7}};
    program_.body.insert(program_.body.begin() + dice_.below(program_.body.size() + 1), std::move(ones));
  }

  Dice dice_;
  std::int64_t most_;
  Style style_{};
  Program program_;
  Machine* machine_ = nullptr;
  int next_ = 0;
};

}  // namespace

Program generate(std::uint64_t seed, std::int64_t most) { return Generator(seed, most).make(); }

}  // namespace luge::test
