#pragma once
// Transformers (Vaswani et al., "Attention is all you need", 2017): stacks of attention and of layers that work on each position.
//
//   ordinary Parameters   x (steps, batch, d_model), with batch_first (batch, steps, d_model), or without a batch -> the same
//   Parameters with sets  the same for all sets, with its batch, or with the sets before the other dimensions -> with the sets
// All throw ShapeError for other shapes, DTypeError. Names of parameters are those of PyTorch's state_dict behind the name given.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/nn/attention.h>
#include <luge/nn/dropout.h>
#include <luge/nn/linear.h>
#include <luge/nn/normalization.h>

namespace luge::nn {

/// How matrices of a transformer start: as each layer's own do, or all by Glorot and Bengio's uniform numbers, as those of
/// torch.nn.Transformer.
enum class TransformerStart : std::uint8_t { Layers, Xavier };

struct TransformerLayerOptions {
  std::int64_t feedforward = 2048;  ///< numbers of a position between its two linear layers
  double dropout = 0.1;             ///< while training, in which a layer begins
  /// Between the two linear layers: a function or a layer. Empty: relu.
  std::function<Tensor(const Tensor&)> activation = {};
  double eps = 1e-5;                ///< of the normalizations
  bool batch_first = false;
  bool norm_first = false;          ///< normalized before attention and linear layers, not behind
  bool bias = true;
  TransformerStart start = TransformerStart::Layers;
};

/// What a query may not look at; see MultiHeadOptions.
struct AttentionMask {
  Tensor mask = {};
  Tensor key_padding_mask = {};
  bool is_causal = false;
};

/// What layers of encoder and decoder have in common. Copies are one layer: they share parameters and whether it trains.
class TransformerLayer {
 public:
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return dropouts_.front().training(); }

 protected:
  /// `attentions`: "self_attn", ...
  TransformerLayer(const char* kind, Parameters& params, std::string_view name, const std::vector<std::string>& attentions,
                   std::int64_t d_model, std::int64_t heads, TransformerLayerOptions options);

  /// x, with the sets before it where there are some.
  Tensor started(const char* argument, const Tensor& x) const;
  Tensor attend(std::size_t which, const Tensor& x, const Tensor& memory, const AttentionMask& mask) const;
  Tensor feed(const Tensor& x) const;
  /// x and what a block makes of it, normalized before or behind.
  template <class Block>
  Tensor add(std::size_t which, const Tensor& x, const Block& block) const {
    const LayerNorm& norm = norms_[which];
    const Dropout& drop = dropouts_[which];
    return options_.norm_first ? x + drop(block(norm(x))) : norm(x + drop(block(x)));
  }

 private:
  const char* kind_;
  std::string name_;
  std::optional<std::int64_t> sets_;
  TransformerLayerOptions options_;
  std::vector<MultiheadAttention> attentions_;
  std::vector<Linear> linears_;
  std::vector<LayerNorm> norms_;
  std::vector<Dropout> dropouts_;  ///< one for each norm, then one between the linear layers
};

/// Attention of a sequence to itself, then two linear layers for each position. Parameters: "name.self_attn...",
/// "name.linear1...", "name.linear2...", "name.norm1...", "name.norm2...".
class TransformerEncoderLayer : public TransformerLayer {
 public:
  /// Throws ValueError for sizes below 1, heads that do not divide d_model, a dropout outside [0, 1], and where one of its names
  /// is in use; then nothing has been added.
  TransformerEncoderLayer(Parameters& params, std::string_view name, std::int64_t d_model, std::int64_t heads,
                          TransformerLayerOptions options = {});

  Tensor operator()(const Tensor& src, const AttentionMask& mask = {}) const;
};

/// Attention of a sequence to itself, then to `memory`, then two linear layers for each position. Parameters as
/// TransformerEncoderLayer's, and "name.multihead_attn...", "name.norm3...".
class TransformerDecoderLayer : public TransformerLayer {
 public:
  /// As TransformerEncoderLayer's.
  TransformerDecoderLayer(Parameters& params, std::string_view name, std::int64_t d_model, std::int64_t heads,
                          TransformerLayerOptions options = {});

  Tensor operator()(const Tensor& tgt, const Tensor& memory, const AttentionMask& tgt_mask = {},
                    const AttentionMask& memory_mask = {}) const;
};

/// Layers "name.layers.0", ... one after the other, then, if `norm`, a LayerNorm "name.norm". Each layer starts by itself; those
/// of PyTorch start as copies of one.
class TransformerEncoder {
 public:
  /// Throws as its layers do, and ValueError for a negative number of them; then nothing has been added.
  TransformerEncoder(Parameters& params, std::string_view name, std::int64_t layers, std::int64_t d_model, std::int64_t heads,
                     const TransformerLayerOptions& options = {}, bool norm = false);

  Tensor operator()(const Tensor& src, const AttentionMask& mask = {}) const;

  void train(bool on = true);
  void eval() { train(false); }
  const std::vector<TransformerEncoderLayer>& layers() const { return layers_; }

 private:
  std::vector<TransformerEncoderLayer> layers_;
  std::optional<LayerNorm> norm_;
};

/// As TransformerEncoder, of decoder layers.
class TransformerDecoder {
 public:
  TransformerDecoder(Parameters& params, std::string_view name, std::int64_t layers, std::int64_t d_model, std::int64_t heads,
                     const TransformerLayerOptions& options = {}, bool norm = false);

  Tensor operator()(const Tensor& tgt, const Tensor& memory, const AttentionMask& tgt_mask = {},
                    const AttentionMask& memory_mask = {}) const;

  void train(bool on = true);
  void eval() { train(false); }
  const std::vector<TransformerDecoderLayer>& layers() const { return layers_; }

 private:
  std::vector<TransformerDecoderLayer> layers_;
  std::optional<LayerNorm> norm_;
};

struct TransformerOptions {
  std::int64_t d_model = 512;
  std::int64_t heads = 8;
  std::int64_t encoder_layers = 6;
  std::int64_t decoder_layers = 6;
  TransformerLayerOptions layer = {};
  TransformerStart start = TransformerStart::Xavier;  ///< in place of the layers' own
};

struct TransformerMasks {
  AttentionMask src = {}, tgt = {}, memory = {};
};

/// An encoder "name.encoder", and a decoder "name.decoder" that looks at what it gives, with a norm at the end of each, as
/// torch.nn.Transformer: src (S, batch, d_model) and tgt (T, batch, d_model) give the shape of tgt.
class Transformer {
 public:
  /// Throws as its parts do; then nothing has been added.
  Transformer(Parameters& params, std::string_view name, const TransformerOptions& options = {});

  Tensor operator()(const Tensor& src, const Tensor& tgt, const TransformerMasks& masks = {}) const;

  void train(bool on = true);
  void eval() { train(false); }
  const TransformerEncoder& encoder() const { return encoder_; }
  const TransformerDecoder& decoder() const { return decoder_; }

 private:
  TransformerEncoder encoder_;
  TransformerDecoder decoder_;
};

/// The causal mask as numbers to add: -inf above the diagonal, 0 elsewhere; (size, size).
Tensor square_subsequent_mask(std::int64_t size, TensorOptions options = {});

}  // namespace luge::nn
