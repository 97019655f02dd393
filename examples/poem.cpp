// A small GPT learns a poem, character by character, and then writes it down.
//
// usage: poem [--steps N]     (default 300; the loss begins near ln 34 = 3.5 and falls below 0.3)
// The poem is William Blake's "The Tyger" (1794).

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <luge/luge.h>

using namespace luge;

namespace {

constexpr std::string_view kText =
    "Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,\nCould frame thy fearful symmetry?\n\n"
    "In what distant deeps or skies,\nBurnt the fire of thine eyes?\nOn what wings dare he aspire?\nWhat the hand, dare seize the fire?\n\n"
    "And what shoulder, & what art,\nCould twist the sinews of thy heart?\nAnd when thy heart began to beat,\n"
    "What dread hand? & what dread feet?\n";
constexpr std::int64_t kWindow = 32, kBatch = 16;

/// Characters as numbers, and which ones there are.
struct Text {
  std::string symbols;
  std::vector<std::int64_t> numbers;
};

Text read(std::string_view text) {
  const std::set<char> distinct(text.begin(), text.end());
  Text result{.symbols = std::string(distinct.begin(), distinct.end()), .numbers = {}};
  for (const char c : text) result.numbers.push_back(static_cast<std::int64_t>(result.symbols.find(c)));
  return result;
}

/// Characters before each place -> scores of the character there.
class Gpt {
 public:
  Gpt(Parameters& params, std::int64_t symbols, std::int64_t width, std::int64_t heads, std::int64_t layers)
      : symbol_(params, "symbol", symbols, width, init::normal(0, 0.1)),
        place_(params, "place", kWindow, width, init::normal(0, 0.1)),
        blocks_(params, "blocks", layers, width, heads,
                {.feedforward = 4 * width, .dropout = 0, .activation = nn::Gelu(), .batch_first = true, .norm_first = true}, true),
        head_(params, "head", width, symbols, {.bias = false}) {}

  /// (batch, time) -> (batch, time, symbols)
  Tensor operator()(const Tensor& index) const {
    const std::int64_t time = index.size(-1);
    const Tensor x = symbol_(index) + place_(arange(time));
    return head_(blocks_(x, {.mask = nn::square_subsequent_mask(time), .is_causal = true}));
  }

 private:
  nn::Embedding symbol_, place_;
  nn::TransformerEncoder blocks_;
  nn::Linear head_;
};

/// The text that the model thinks follows, by its most probable characters.
std::string write(const Gpt& model, const Text& text, std::size_t given, std::size_t count) {
  const NoGrad no_grad;
  std::vector<std::int64_t> written(text.numbers.begin(), text.numbers.begin() + static_cast<std::ptrdiff_t>(given));
  while (written.size() < count) {
    const auto seen = std::min(written.size(), static_cast<std::size_t>(kWindow));
    const std::vector<std::int64_t> last(written.end() - static_cast<std::ptrdiff_t>(seen), written.end());
    const Tensor scores = model(from_host(last, {1, static_cast<std::int64_t>(seen)}));
    written.push_back(scores.select(1, -1).argmax().item<std::int64_t>());
  }
  std::string result;
  for (const std::int64_t number : written) result += text.symbols[static_cast<std::size_t>(number)];
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  const int steps = argc == 3 && std::string_view(argv[1]) == "--steps" ? std::atoi(argv[2]) : 300;
  if (steps < 1 || (argc != 1 && argc != 3)) {
    std::fprintf(stderr, "usage: poem [--steps N]\n");
    return 2;
  }
  const Text text = read(kText);
  const auto count = static_cast<std::int64_t>(text.numbers.size());
  const Tensor numbers = from_host(text.numbers, {count});

  manual_seed(1);
  Parameters params({.seed = 1});
  const Gpt model(params, static_cast<std::int64_t>(text.symbols.size()), 64, 4, 2);
  std::vector<Tensor> matrices, others;
  for (const Tensor& p : params.tensors()) (p.ndim() >= 2 ? matrices : others).push_back(p);
  AdamW optimizer({{.params = matrices, .options = {.lr = 3e-3, .weight_decay = 0.1}},
                   {.params = others, .options = {.lr = 3e-3, .weight_decay = 0.0}}});
  LinearLr warmup(optimizer, {.start_factor = 0.1, .total_iters = 20});
  CosineAnnealingLr decay(optimizer, {.t_max = steps});

  auto step = capture([&] {
    // Windows at random places, and the same one character later.
    const Tensor places = randint(0, count - kWindow, {kBatch, 1}) + arange(kWindow);
    const Tensor x = numbers.index_select(0, places.flatten()).reshape({kBatch, kWindow});
    const Tensor y = numbers.index_select(0, places.flatten() + 1);
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(model(x).flatten(0, 1), y);
    loss.backward();
    params.clip_grad_norm_(1);
    optimizer.step();
    warmup.step();
    decay.step();
    return loss;
  });
  const double first = step().item(), last = step.run(steps - 1).item();

  const std::string written = write(model, text, 12, kText.size());
  std::printf("%s\n%lld parameters, %zu symbols: the loss went from %.2f to %.2f in %d steps\n", written.c_str(),
              static_cast<long long>(params.count()), text.symbols.size(), first, last, steps);
  return last < 0.3 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "poem: %s\n", error.what());
  return 1;
}
