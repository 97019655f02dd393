#include <luge/fit/detail/parser.h>

#include <algorithm>
#include <charconv>
#include <numbers>
#include <optional>
#include <string_view>

#include <luge/base/detail/check.h>
#include <luge/fit/detail/functions.h>
#include <luge/seam/detail/op_traits.h>

namespace luge::fit {

namespace {

/// Parentheses within each other, and terms in a row, that the stack is made for.
constexpr int kDeepest = 200;

struct Token {
  enum class Kind { Number, Name, Symbol, End };
  Kind kind = Kind::End;
  std::string_view text;
  std::size_t at = 0;
  double number = 0;
};

/// The message, and the formula with a mark under the place.
template <class... Args>
[[noreturn]] void refuse(const std::string& formula, std::size_t at, fmt::format_string<Args...> format,
                         Args&&... args) {
  // The line of the formula that the place is in.
  std::size_t begin = at == 0 ? 0 : formula.rfind('\n', at - 1) + 1;
  std::size_t end = std::min(formula.find('\n', begin), formula.size());
  constexpr std::size_t kShown = 60;  // before and behind the place
  begin = std::max(begin, at > kShown ? at - kShown : 0);
  end = std::min(end, at + kShown);
  raise<ValueError>("model: {}\n  {}\n  {:>{}}", fmt::format(format, std::forward<Args>(args)...),
                    formula.substr(begin, end - begin), "^", at - begin + 1);
}

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
 public:
  explicit Scanner(const std::string& formula) : formula_(formula) {}

  std::vector<Token> tokens() {
    std::vector<Token> all;
    for (;;) {
      while (at_ < formula_.size() && std::string_view(" \t\n\r").find(formula_[at_]) != std::string_view::npos) ++at_;
      all.push_back(next());
      if (all.back().kind == Token::Kind::End) return all;
      at_ += all.back().text.size();
    }
  }

 private:
  Token next() const {
    Token token{Token::Kind::End, {}, at_, 0};
    if (at_ == formula_.size()) return token;
    const std::string_view rest = std::string_view(formula_).substr(at_);
    if (begins_name(rest[0])) {
      std::size_t length = 1;
      while (length < rest.size() && (begins_name(rest[length]) || is_digit(rest[length]))) ++length;
      token.kind = Token::Kind::Name;
      token.text = rest.substr(0, length);
      return token;
    }
    if (is_digit(rest[0]) || (rest[0] == '.' && rest.size() > 1 && is_digit(rest[1]))) return number(token, rest);
    token.kind = Token::Kind::Symbol;
    for (const std::string_view symbol : {"**", "<=", ">=", "==", "!="})
      if (rest.starts_with(symbol)) token.text = rest.substr(0, 2);
    if (!token.text.empty()) return token;
    if (rest[0] == '^') refuse(formula_, at_, "powers are written with **");
    if (rest[0] == '.') refuse(formula_, at_, "functions are written without a module: exp(x), not np.exp(x)");
    if (std::string_view("+-*/()<>,").find(rest[0]) == std::string_view::npos)
      refuse(formula_, at_, "this character has no meaning in a formula");
    token.text = rest.substr(0, 1);
    return token;
  }

  Token number(Token token, std::string_view rest) const {
    token.kind = Token::Kind::Number;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), token.number);
    token.text = rest.substr(0, static_cast<std::size_t>(end - rest.data()));
    if (error != std::errc()) refuse(formula_, at_, "the number is beyond float64");
    const std::size_t after = token.text.size();
    if (after < rest.size() && (begins_name(rest[after]) || is_digit(rest[after])))
      refuse(formula_, at_ + after, "a number ends here; products are written with *");
    return token;
  }

  const std::string& formula_;
  std::size_t at_ = 0;
};

bool is_keyword(std::string_view name) { return name == "and" || name == "or" || name == "not" || name == "pi"; }
/// Words of Python that are no names.
bool is_reserved(std::string_view name) {
  for (const std::string_view word : {"True", "False", "None", "lambda", "in", "is", "if", "else", "for"})
    if (name == word) return true;
  return false;
}

class Parser {
 public:
  Parser(Graph& graph, const std::string& formula, const std::vector<std::string>& predictors,
         const std::vector<std::string>& parameters)
      : graph_(graph),
        formula_(formula),
        predictors_(predictors),
        parameters_(parameters),
        tokens_(Scanner(formula).tokens()) {}

  Term run() {
    const Term result = number_at(0, &Parser::disjunction);
    if (peek().kind != Token::Kind::End)
      refuse(formula_, peek().at, "the formula should end here, or go on with an operator");
    return result;
  }

 private:
  using Rule = Term (Parser::*)();

  const Token& peek() const { return tokens_[next_]; }
  bool is(std::string_view text) const { return peek().kind != Token::Kind::Number && peek().text == text; }
  bool take(std::string_view text) {
    if (!is(text)) return false;
    ++next_;
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text)) refuse(formula_, peek().at, "{} is missing here", text);
  }

  Term apply(Op op, std::initializer_list<Term> in, std::array<double, 2> parameters = {}) {
    return graph_.apply(op, std::span(in.begin(), in.size()), parameters);
  }
  /// What `rule` reads, which has to be a number, or a condition.
  Term number_at(std::size_t at, Rule rule) {
    const Term term = (this->*rule)();
    if (graph_.is_condition(term)) refuse(formula_, at, "a condition stands where a number should");
    return term;
  }
  Term condition_at(std::size_t at, Rule rule) {
    const Term term = (this->*rule)();
    if (!graph_.is_condition(term)) refuse(formula_, at, "a number stands where a condition should");
    return term;
  }
  Term number(Rule rule) { return number_at(peek().at, rule); }
  Term condition(Term term, std::size_t at) {
    if (!graph_.is_condition(term)) refuse(formula_, at, "a number stands where a condition should");
    return term;
  }
  void require_number(Term term, std::size_t at) {
    if (graph_.is_condition(term)) refuse(formula_, at, "a condition stands where a number should");
  }

  Term disjunction() { return logic("or", Op::LogicalOr, &Parser::conjunction); }
  Term conjunction() { return logic("and", Op::LogicalAnd, &Parser::negation); }
  Term logic(std::string_view word, Op op, Rule inner) {
    const std::size_t at = peek().at;
    Term left = (this->*inner)();
    while (is(word)) {
      condition(left, at);
      ++next_;
      left = apply(op, {left, condition_at(peek().at, inner)});
    }
    return left;
  }
  Term negation() {
    if (!take("not")) return comparison();
    const Nested nested(*this);
    return apply(Op::LogicalNot, {condition_at(peek().at, &Parser::negation)});
  }

  Term comparison() {
    const std::size_t at = peek().at;
    const Term left = sum();
    static constexpr std::pair<std::string_view, Op> kComparisons[] = {{"<=", Op::LessEqual}, {">=", Op::GreaterEqual},
                                                                       {"==", Op::Equal},     {"!=", Op::NotEqual},
                                                                       {"<", Op::Less},       {">", Op::Greater}};
    for (const auto& [symbol, op] : kComparisons) {
      if (!take(symbol)) continue;
      require_number(left, at);
      const Term right = number(&Parser::sum);
      for (const auto& another : kComparisons)
        if (is(another.first)) refuse(formula_, peek().at, "comparisons are joined with 'and'");
      return apply(op, {left, right});
    }
    return left;
  }

  Term sum() {
    const std::size_t at = peek().at;
    Term left = product();
    while (is("+") || is("-")) {
      require_number(left, at);
      const Op op = is("+") ? Op::Add : Op::Sub;
      ++next_;
      left = apply(op, {left, number(&Parser::product)});
    }
    return left;
  }

  Term product() {
    const std::size_t at = peek().at;
    Term left = sign();
    while (is("*") || is("/")) {
      require_number(left, at);
      const Op op = is("*") ? Op::Mul : Op::Div;
      ++next_;
      left = apply(op, {left, number(&Parser::sign)});
    }
    return left;
  }

  Term sign() {
    const Nested nested(*this);
    if (take("-")) return apply(Op::Neg, {number(&Parser::sign)});
    if (take("+")) return number(&Parser::sign);
    return power();
  }

  /// -x ** 2 is -(x ** 2), and x ** -y ** z is x ** (-(y ** z)), as in Python.
  Term power() {
    const std::size_t at = peek().at;
    const Term base = primary();
    if (!take("**")) return base;
    require_number(base, at);
    return apply(Op::Pow, {base, number(&Parser::sign)});
  }

  Term primary() {
    const Token token = peek();
    if (token.kind == Token::Kind::Number) {
      ++next_;
      return graph_.number(token.number);
    }
    if (take("(")) {
      const Nested nested(*this);
      const Term inner = disjunction();
      expect(")");
      return inner;
    }
    if (token.kind != Token::Kind::Name || token.text == "and" || token.text == "or")
      refuse(formula_, token.at, "{}",
             token.kind == Token::Kind::End ? "the formula ends where a number should be"
                                            : "a number, a name or a function should be here");
    if (is_reserved(token.text)) refuse(formula_, token.at, "{} has no meaning in a formula", token.text);
    ++next_;
    if (is("(")) return call(token);
    if (token.text == "pi") return graph_.number(std::numbers::pi);
    for (std::size_t i = 0; i < predictors_.size(); ++i)
      if (predictors_[i] == token.text) return graph_.predictor(static_cast<int>(i));
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (parameters_[i] == token.text) return graph_.parameter(static_cast<int>(i));
    refuse(formula_, token.at, "{} is neither a predictor ({}) nor a parameter ({})", token.text,
           fmt::join(predictors_, ", "), fmt::join(parameters_, ", "));
  }

  std::vector<Term> arguments(const Token& function, std::size_t least, std::size_t most) {
    const Nested nested(*this);
    std::vector<Term> all;
    expect("(");
    const bool chooses = function.text == "where";
    if (!is(")")) do
        all.push_back(chooses && all.empty() ? condition_at(peek().at, &Parser::disjunction)
                                             : number(&Parser::disjunction));
      while (take(","));
    expect(")");
    if (all.size() < least || all.size() > most)
      refuse(formula_, function.at, "{} takes {} argument{}, and {} {} given", function.text,
             least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most), most == 1 ? "" : "s",
             all.size(), all.size() == 1 ? "is" : "are");
    return all;
  }

  double constant(const Token& function, Term term) {
    const std::optional<double> value = graph_.value(term);
    if (!value) refuse(formula_, function.at, "the arguments of {} after the first have to be numbers", function.text);
    return *value;
  }

  Term call(const Token& function) {
    const std::string_view name = function.text;
    if (const std::optional<Op> op = unary_named(name)) {
      const auto parameters = static_cast<std::size_t>(traits(*op).parameters);
      const std::vector<Term> in = arguments(function, 1, 1 + parameters);
      std::array<double, 2> values = default_parameters(*op);
      for (std::size_t i = 1; i < in.size(); ++i) values[i - 1] = constant(function, in[i]);
      return apply(*op, {in[0]}, values);
    }
    if (const std::optional<Op> op = binary_named(name)) {
      const std::vector<Term> in = arguments(function, 2, 2);
      return apply(*op, {in[0], in[1]});
    }
    if (name == "where" || name == "lerp") {
      const std::vector<Term> in = arguments(function, 3, 3);
      return apply(name == "where" ? Op::Where : Op::Lerp, {in[0], in[1], in[2]});
    }
    if (name == "clamp" || name == "clip") {
      const std::vector<Term> in = arguments(function, 3, 3);
      const std::optional<double> low = graph_.value(in[1]), high = graph_.value(in[2]);
      if (low && high) return apply(Op::Clamp, {in[0]}, {*low, *high});
      return apply(Op::Minimum, {apply(Op::Maximum, {in[0], in[1]}), in[2]});
    }
    const std::optional<Term> term =
        composed(graph_, name, [&](std::size_t count) { return arguments(function, count, count); });
    if (!term) refuse(formula_, function.at, "there is no function {}{}", name, alike(name));
    return *term;
  }

  static std::array<double, 2> default_parameters(Op op) {
    switch (op) {
#define LUGE_ROW(function, Formula, dtypes, text, ...) \
  case Op::Formula:                                    \
    return {LUGE_PARAMETERS(LUGE_SECOND, LUGE_SECOND, __VA_ARGS__)};
#define LUGE_SECOND(name, value) value,
      LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_SECOND
#undef LUGE_ROW
      default: return {};
    }
  }

  struct Nested {
    explicit Nested(Parser& of) : parser(of) {
      if (++parser.depth_ > kDeepest) refuse(parser.formula_, parser.peek().at, "the formula is nested too deeply");
    }
    ~Nested() { --parser.depth_; }
    Parser& parser;
  };

  Graph& graph_;
  const std::string& formula_;
  const std::vector<std::string>& predictors_;
  const std::vector<std::string>& parameters_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
};

}  // namespace

std::vector<std::string> names_in(const std::string& formula) {
  const std::vector<Token> tokens = Scanner(formula).tokens();
  std::vector<std::string> names;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (tokens[i].kind != Token::Kind::Name || is_keyword(tokens[i].text) || tokens[i + 1].text == "(") continue;
    if (std::find(names.begin(), names.end(), tokens[i].text) == names.end()) names.emplace_back(tokens[i].text);
  }
  return names;
}

Term parse(Graph& graph, const std::string& formula, const std::vector<std::string>& predictors,
           const std::vector<std::string>& parameters) {
  return Parser(graph, formula, predictors, parameters).run();
}

}  // namespace luge::fit
