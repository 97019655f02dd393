#pragma once
// Shapes brought together, and grids made of vectors. Views, unless said otherwise.

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The shape that all of these broadcast to. ShapeError naming the two that do not fit; ValueError for a size below 0.
Shape broadcast_shapes(const std::vector<Shape>& shapes);
/// expand() without -1.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// All tensors expanded to the shape that they broadcast to.
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors);

/// Which of the first two dimensions of a grid the first vector runs along.
enum class Indexing : std::uint8_t {
  MatrixStyle,   ///< the first: PyTorch's "ij"
  CartesianStyle ///< the second: "xy"
};
/// One tensor for each vector, all of one shape, in which that vector varies along its own dimension. The tensors are
/// 1-d or 0-d, of one dtype and device. ValueError for none.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, Indexing indexing = Indexing::MatrixStyle);
/// Every choice of one element of each 1-d tensor, as the rows of a matrix; a single tensor itself. A copy.
Tensor cartesian_prod(const std::vector<Tensor>& tensors);
/// The choices of `count` elements of a 1-d tensor, in order, as the rows of a matrix. A copy. ValueError for count < 0.
Tensor combinations(const Tensor& x, std::int64_t count = 2, bool with_replacement = false);

/// With 1, 2 or 3 dimensions at least: (n) becomes (1, n) and (1, n, 1), (m, n) becomes (m, n, 1), as in NumPy.
Tensor atleast(const char* op, const Tensor& x, int ndim);

}  // namespace luge
