// XOR: the smallest problem that a single neuron cannot solve and one hidden layer can.
//
// Some starts of such a small network get stuck, so twenty networks with their own random starts train at once.

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  constexpr std::int64_t kSets = 20;
  const Tensor inputs = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const Tensor wanted = tensor({0, 1, 1, 0});

  Parameters params({.sets = kSets, .seed = 3});
  const nn::Sequential model{nn::Linear(params, "hidden", 2, 4), nn::Tanh{}, nn::Linear(params, "output", 4, 1), nn::Sigmoid{}};
  Adam optimizer(params, {.lr = 0.05});
  for (int epoch = 0; epoch < 500; ++epoch) {
    optimizer.zero_grad();
    const Tensor output = model(inputs).squeeze(2);                           // (sets, 4)
    const Tensor loss = mse_loss(output, wanted, Reduction::PerSet);          // (sets)
    loss.sum().backward();
    optimizer.step();
    if (epoch % 100 == 99) {
      std::printf("epoch %3d: best loss %.6f, worst %.6f\n", epoch + 1, loss.min().item(), loss.max().item());
    }
  }

  const NoGrad no_grad;
  const Tensor output = model(inputs).squeeze(2);
  const Tensor right = ((output > 0.5) == (wanted > 0.5)).to(float32).sum(1);  // (sets): 0 to 4
  const auto solved = (right == 4).to(float32).sum().item<int>();
  const auto best = mse_loss(output, wanted, Reduction::PerSet).argmin().item<std::int64_t>();
  const std::vector<float> table = output[best].to_vector<float>();
  for (int i = 0; i < 4; ++i) std::printf("%d xor %d = %.3f\n", i / 2, i % 2, table[static_cast<std::size_t>(i)]);
  std::printf("%d of %d networks learned XOR\n", solved, static_cast<int>(kSets));
  return solved >= kSets / 2 && right[best].item() == 4 ? 0 : 1;
}
