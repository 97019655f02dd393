#include <luge/train/parameter_vector.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/join.h>

namespace luge {

Tensor parameters_to_vector(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> flat;
  for (const Tensor& parameter : parameters) {
    LUGE_CHECK(ValueError, parameter.defined(), "parameters_to_vector: tensor {} is undefined", flat.size());
    LUGE_CHECK(DTypeError, parameter.dtype() == parameters[0].dtype(), "parameters_to_vector: tensor {} is {} and the first one {}; all must be one dtype",
               flat.size(), name(parameter.dtype()), name(parameters[0].dtype()));
    flat.push_back(parameter.reshape({-1}));
  }
  LUGE_CHECK(ValueError, !flat.empty(), "parameters_to_vector: no tensors given; at least one is needed");
  return cat(flat);
}

void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters) {
  LUGE_CHECK(ValueError, vector.defined(), "vector_to_parameters: vector is an undefined tensor");
  std::int64_t count = 0;
  for (const Tensor& parameter : parameters) {
    LUGE_CHECK(ValueError, parameter.defined(), "vector_to_parameters: a tensor is undefined");
    count += parameter.numel();
  }
  LUGE_CHECK(ShapeError, vector.ndim() == 1 && vector.numel() == count,
             "vector_to_parameters: vector has shape {}; the parameters have {} elements", to_string(vector.shape()), count);
  const NoGrad guard;
  std::int64_t begin = 0;
  for (Tensor parameter : parameters) {
    parameter.copy_(vector.slice(0, begin, begin + parameter.numel()).reshape(parameter.shape()));
    begin += parameter.numel();
  }
}

}  // namespace luge
