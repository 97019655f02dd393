// Rosenblatt's perceptron (1958): one neuron that separates two classes of points in the plane.
//
// Its rule "move the line only for points on the wrong side" is gradient descent on the loss
// relu(-y (w x + b)), where y is +1 or -1: the loss is zero where the side is right.

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  manual_seed(7);
  // Points whose distance to the line x_0 + 2 x_1 = 0.5 is not tiny: a perceptron finds a line then.
  const Tensor all = rand({2000, 2}) * 4 - 2;
  const Tensor side = all.select(1, 0) + 2 * all.select(1, 1) - 0.5;
  const Tensor clear = (side.abs() > 0.4).to(float32);
  const Tensor y = side.sign() * clear;  // 0 for points too close to call: they have no loss

  Parameters params;
  const nn::Linear neuron(params, "neuron", 2, 1, {.weight_init = init::zeros(), .bias_init = init::zeros()});
  Sgd optimizer(params, {.lr = 0.1});
  double wrong = 0;
  for (int epoch = 0; epoch < 2000; ++epoch) {
    optimizer.zero_grad();
    const Tensor output = neuron(all).squeeze(1);
    // With weights of zero no side is taken yet; the small offset asks for one.
    const Tensor loss = relu(0.01 - y * output) * clear;
    loss.sum().backward();
    optimizer.step();
    wrong = ((y * output <= 0).to(float32) * clear).sum().item();
    if (epoch % 5 == 0) std::printf("epoch %4d: %4.0f of %.0f points on the wrong side\n", epoch, wrong, clear.sum().item());
    if (wrong == 0) break;
  }
  const std::vector<float> w = neuron.weight().detach().to_vector<float>();
  std::printf("no point is wrong: %s; the line found is x_0 + %.2f x_1 = %.2f\n", wrong == 0 ? "yes" : "no", w[1] / w[0],
              -neuron.bias().detach().item() / w[0]);
  return wrong == 0 ? 0 : 1;
}
