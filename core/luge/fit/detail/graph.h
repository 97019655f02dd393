#pragma once
// Internal: a model while it is made. A term is a number, a predictor, a parameter or an op of the op table on terms.
// What is there already is not added again, numbers are computed at once, and derivatives come from the ops' own
// formulas.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <luge/seam/detail/fit_model.h>

namespace luge::fit {

class Graph;

/// A term of the graph that this thread works on (Graph::Scope). Formulas of core/luge/math/elementwise.h take it as
/// their value type, and as their mask.
struct Term {
  int at = -1;

  Term() = default;
  explicit Term(double number);
  static Term of(int node) {
    Term term;
    term.at = node;
    return term;
  }
};

class Graph {
 public:
  Graph(int predictors, int parameters);

  Term predictor(int i) const { return Term::of(i); }
  Term parameter(int i) const { return Term::of(predictors_ + i); }
  Term number(double value);
  /// Throws ValueError, which begins with "model:", for an op that a model cannot have.
  Term apply(Op op, std::span<const Term> in, std::array<double, 2> parameters = {});
  bool is_condition(Term term) const { return node(term).is_condition; }
  /// The number that a term is, if it is one.
  std::optional<double> value(Term term) const;

  /// The model whose outputs these are. Throws ValueError where an op has no derivative, and for parameters that no
  /// output depends on, by their place in `names`.
  std::shared_ptr<const FitModel> model(std::span<const Term> outputs, std::span<const std::string> names, DType dtype);

  /// After model(): whether an output changes with the parameter. Others only decide conditions.
  bool has_derivative(int parameter) const { return differs_[static_cast<std::size_t>(parameter)] != 0; }

  /// While it lives, Terms of this thread belong to the graph.
  class Scope {
   public:
    explicit Scope(Graph& graph);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph* outer_;
  };

 private:
  enum class Kind : std::uint8_t { Input, Number, Op };
  struct Node {
    Kind kind = Kind::Input;
    Op op = Op::Add;
    std::array<int, 3> in{-1, -1, -1};
    std::array<double, 2> parameters{};
    double number = 0;
    bool is_condition = false;

    bool operator==(const Node& other) const;
  };

  const Node& node(Term term) const { return nodes_[static_cast<std::size_t>(term.at)]; }
  bool is_number(Term term) const { return node(term).kind == Kind::Number; }
  bool is_number(Term term, double value) const;
  Term add(const Node& node);
  Term binary(Op op, Term a, Term b);
  Term simplified(Op op, std::span<const Term> in);
  Term power(Term base, double exponent);
  Term integer_power(Term base, int exponent);
  std::vector<Term> partials(int of);
  void differentiate(std::vector<std::vector<Term>>& tangents, int of);

  int predictors_, parameters_;
  std::vector<Node> nodes_;
  std::vector<char> differs_;  ///< by parameter
};

}  // namespace luge::fit
