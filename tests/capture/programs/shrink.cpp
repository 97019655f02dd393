#include <algorithm>

#include "check.h"
#include "operations.h"

namespace luge::test {

namespace {

bool uses(const Statement& statement, int id) {
  return std::find(statement.in.begin(), statement.in.end(), id) != statement.in.end();
}

void for_each_statement(Program& program, const std::function<void(Statement&)>& visit) {
  for (Statement& statement : program.body) visit(statement);
  for (Part& part : program.parts)
    for (Statement& statement : part.before) visit(statement);
}

/// Drops what works on a variable that nothing makes any more.
void drop_orphans(Program& program) {
  const auto clean = [&](std::vector<Statement>& statements, std::vector<int>* results) {
    std::vector<int> made;
    const auto known = [&](int id) {
      return program.declared(id) || std::find(made.begin(), made.end(), id) != made.end();
    };
    std::erase_if(statements, [&](const Statement& statement) {
      if (!std::all_of(statement.in.begin(), statement.in.end(), known)) return true;
      if (statement.out >= 0) made.push_back(statement.out);
      return false;
    });
    if (results) std::erase_if(*results, [&](int id) { return !known(id); });
  };
  clean(program.body, &program.results);
  for (Part& part : program.parts) clean(part.before, nullptr);
}

/// All that is one piece smaller than a program, what saves most first.
class Smaller {
 public:
  explicit Smaller(const Program& program) : program_(program) {
    drop_parts();
    drop_statements();
    drop_variables();
    shrink_sizes();
    drop_options();
    simplify_numbers();
  }
  std::vector<Program> take() { return std::move(all_); }

 private:
  template <class Change>
  void add(const Change& change) {
    Program smaller = program_;
    change(smaller);
    drop_orphans(smaller);
    all_.push_back(std::move(smaller));
  }

  void drop_parts() {
    const std::size_t parts = program_.parts.size();
    for (std::size_t p = parts; p-- > 0 && parts > 1;) {
      add([&](Program& s) { s.parts.erase(s.parts.begin() + static_cast<std::ptrdiff_t>(p)); });
      if (p + 1 < parts)
        add([&](Program& s) {
          auto& next = s.parts[p + 1].before;
          next.insert(next.begin(), s.parts[p].before.begin(), s.parts[p].before.end());
          s.parts.erase(s.parts.begin() + static_cast<std::ptrdiff_t>(p));
        });
    }
    for (std::size_t p = 0; p < parts; ++p) {
      const int steps = program_.parts[p].steps;
      for (const int fewer : {1, 2, steps / 2, steps - 1})
        if (fewer >= 1 && fewer < steps) add([&](Program& s) { s.parts[p].steps = fewer; });
      if (program_.parts[p].eagerly) add([&](Program& s) { s.parts[p].eagerly = false; });
    }
  }

  void drop_statements() {
    const auto drop_ranges = [&](std::size_t count, const auto& list) {
      for (std::size_t length = count; length >= 1; length /= 2)
        for (std::size_t from = 0; from + length <= count; from += length)
          add([&](Program& s) {
            auto& statements = list(s);
            const auto begin = statements.begin() + static_cast<std::ptrdiff_t>(from);
            statements.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
          });
    };
    drop_ranges(
        program_.body.size(), [](Program & s) -> auto& { return s.body; });
    for (std::size_t p = 0; p < program_.parts.size(); ++p)
      drop_ranges(
          program_.parts[p].before.size(), [=](Program & s) -> auto& { return s.parts[p].before; });
    // A variable's users may work on one of its inputs, or on a declared tensor, instead.
    for (std::size_t i = 0; i < program_.body.size(); ++i) {
      const Statement& statement = program_.body[i];
      if (statement.out < 0) continue;
      std::vector<int> instead = statement.in;
      for (const Declared& tensor : program_.tensors) instead.push_back(tensor.id);
      for (const int id : instead)
        add([&](Program& s) {
          s.body.erase(s.body.begin() + static_cast<std::ptrdiff_t>(i));
          for (Statement& user : s.body) std::replace(user.in.begin(), user.in.end(), statement.out, id);
          std::replace(s.results.begin(), s.results.end(), statement.out, id);
        });
    }
  }

  void drop_variables() {
    for (std::size_t r = 0; r < program_.results.size(); ++r)
      add([&](Program& s) { s.results.erase(s.results.begin() + static_cast<std::ptrdiff_t>(r)); });
    for (const Declared& tensor : program_.tensors) {
      const auto drop = [&](Program& s) {
        std::erase_if(s.tensors, [&](const Declared& one) { return one.id == tensor.id; });
      };
      add(drop);
      for (const Declared& other : program_.tensors) {
        if (other.id >= tensor.id) continue;
        bool used = false;
        Program copy = program_;
        for_each_statement(copy, [&](Statement& s) { used = used || uses(s, tensor.id); });
        if (used)
          add([&](Program& s) {
            for_each_statement(
                s, [&](Statement& one) { std::replace(one.in.begin(), one.in.end(), tensor.id, other.id); });
            std::replace(s.results.begin(), s.results.end(), tensor.id, other.id);
            drop(s);
          });
      }
    }
  }

  void shrink_sizes() {
    const auto fewer = [&](std::int64_t Sizes::*size) {
      const std::int64_t now = program_.sizes.*size;
      for (const std::int64_t value : {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, now / 2, now - 1})
        if (value >= 1 && value < now) add([&](Program& s) { s.sizes.*size = value; });
    };
    fewer(&Sizes::n);
    fewer(&Sizes::r);
    fewer(&Sizes::c);
    for (std::size_t t = 0; t < program_.tensors.size(); ++t)
      for (std::size_t d = 0; d < program_.tensors[t].shape.size(); ++d) {
        add([&](Program& s) {
          auto& shape = s.tensors[t].shape;
          shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(d));
        });
        if (program_.tensors[t].shape[d] != Size::One) add([&](Program& s) { s.tensors[t].shape[d] = Size::One; });
      }
  }

  void drop_options() {
    if (!program_.keep_gradients) add([](Program& s) { s.keep_gradients = true; });
    if (program_.owner != Owner::Nobody) add([](Program& s) { s.owner = Owner::Nobody; });
    if (program_.owner > Owner::Arena) add([](Program& s) { s.owner = Owner::Arena; });
    if (program_.owner > Owner::Optimizer) add([](Program& s) { s.owner = Owner::Optimizer; });
    if (program_.rule != Rule::Sgd) add([](Program& s) { s.rule = Rule::Sgd; });
    if (program_.lr_per_set) add([](Program& s) { s.lr_per_set = false; });
    if (program_.decay != Decay::None) add([](Program& s) { s.decay = Decay::None; });
    if (program_.kept_losses != 0) add([](Program& s) { s.kept_losses = 0; });
    if (program_.capacity != 64) add([](Program& s) { s.capacity = 64; });
    for (std::size_t t = 0; t < program_.tensors.size(); ++t) {
      if (program_.tensors[t].trains) add([&](Program& s) { s.tensors[t].trains = false; });
      if (program_.tensors[t].fill == Fill::Special || program_.tensors[t].fill == Fill::Ties)
        add([&](Program& s) { s.tensors[t].fill = Fill::Normal; });
    }
    bool doubles = program_.dtype != float32;
    for (const Declared& tensor : program_.tensors) doubles = doubles || tensor.dtype == float64;
    if (doubles)
      add([](Program& s) {
        s.dtype = float32;
        for (Declared& tensor : s.tensors)
          if (tensor.dtype == float64) tensor.dtype = float32;
      });
  }

  void simplify_numbers() {
    for (std::size_t i = 0; i < program_.body.size(); ++i) {
      const Statement& statement = program_.body[i];
      if (operation(statement).number && statement.number != 1) add([&](Program& s) { s.body[i].number = 1; });
      if (statement.no_grad) add([&](Program& s) { s.body[i].no_grad = false; });
    }
  }

  const Program& program_;
  std::vector<Program> all_;
};

}  // namespace

Program shrink(Program program, const std::function<bool(const Program&)>& fails) {
  constexpr int kMostTrials = 20000;
  int trials = 0;
  for (bool smaller = true; smaller && trials < kMostTrials;) {
    smaller = false;
    for (Program& candidate : Smaller(program).take()) {
      ++trials;
      if (!fails(candidate)) continue;
      program = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return program;
}

}  // namespace luge::test
