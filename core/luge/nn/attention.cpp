#include <luge/nn/attention.h>

#include <cmath>
#include <utility>
#include <vector>

#include <luge/base/detail/check.h>

namespace luge::nn {

MultiheadAttention::MultiheadAttention(Parameters& params, std::string_view name, std::int64_t embed_dim, std::int64_t heads,
                                       MultiheadAttentionOptions options)
    : heads_(heads), first_set_(params.options().first_set), options_(options) {
  if (options_.kdim == 0) options_.kdim = embed_dim;
  if (options_.vdim == 0) options_.vdim = embed_dim;
  const std::int64_t kdim = options_.kdim, vdim = options_.vdim;
  LUGE_CHECK(ValueError, embed_dim >= 1 && heads >= 1 && embed_dim % heads == 0 && kdim >= 1 && vdim >= 1,
             "MultiheadAttention {}: embed_dim is {}, heads {}, kdim {} and vdim {}; all must be 1 or more, and heads must divide embed_dim",
             name, embed_dim, heads, kdim, vdim);
  LUGE_CHECK(ValueError, options.dropout >= 0 && options.dropout <= 1, "MultiheadAttention {}: dropout is {}; it must be from 0 to 1", name,
             options.dropout);
  std::vector<ParameterSpec> specs;
  std::vector<Tensor*> places;
  const auto add = [&](const char* entry, Tensor& place, const Shape& shape, const Init& start) {
    specs.push_back({std::string(name) + "." + entry, shape, start});
    places.push_back(&place);
  };
  if (kdim == embed_dim && vdim == embed_dim) {
    add("in_proj_weight", weights_.in_proj_weight, {3 * embed_dim, embed_dim}, init::xavier_uniform(embed_dim, 3 * embed_dim));
  } else {
    add("q_proj_weight", weights_.q_proj_weight, {embed_dim, embed_dim}, init::xavier_uniform(embed_dim, embed_dim));
    add("k_proj_weight", weights_.k_proj_weight, {embed_dim, kdim}, init::xavier_uniform(kdim, embed_dim));
    add("v_proj_weight", weights_.v_proj_weight, {embed_dim, vdim}, init::xavier_uniform(vdim, embed_dim));
  }
  if (options.bias) add("in_proj_bias", weights_.in_proj_bias, {3 * embed_dim}, init::zeros());
  if (options.add_bias_kv) {
    add("bias_k", weights_.bias_k, {1, 1, embed_dim}, init::xavier_normal(embed_dim, embed_dim));
    add("bias_v", weights_.bias_v, {1, 1, embed_dim}, init::xavier_normal(embed_dim, embed_dim));
  }
  add("out_proj.weight", weights_.out_proj_weight, {embed_dim, embed_dim},
      options.out_proj_init.value_or(init::kaiming_uniform(embed_dim, std::sqrt(5.0))));
  if (options.bias) add("out_proj.bias", weights_.out_proj_bias, {embed_dim}, init::zeros());
  const std::vector<Tensor> added = params.add(specs);
  for (std::size_t i = 0; i < added.size(); ++i) *places[i] = added[i];
}

MultiHeadResult MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value, MultiHeadOptions options) const {
  options.dropout_p = options_.dropout;
  options.add_zero_attn = options_.add_zero_attn;
  options.batch_first = options_.batch_first;
  options.first_set = first_set_;
  return multi_head_attention(query, key, value, heads_, weights_, options);
}

}  // namespace luge::nn
