// Parameters, and how they start.

#include <fmt/format.h>

#include <luge/autograd/detail/node.h>

#include "python.h"

namespace luge::python {

void bind_schedules(nb::module_& m);

namespace {

// ---- parameters

void bind_init(nb::module_& m) {
  nb::class_<Init> init(m, "Init", "How a parameter starts; made by the functions of luge.init.");
  init.def(
      "_made_by",
      [](const Init& self) {
        if (self.is_constant) return nb::make_tuple("constant", nb::make_tuple(self.a));
        const char* const function = self.kind == Random::Kind::Normal ? "normal" : "uniform";
        return nb::make_tuple(function, nb::make_tuple(self.a, self.b));
      },
      nb::sig("def _made_by(self) -> tuple[str, tuple[float, ...]]"),
      "The function of luge.init and the arguments that make one like it.");
  nb::module_ own = m.def_submodule("_init", "How parameters start.");
  own.def("constant", &init::constant, "value"_a, "All values are `value`.");
  own.def("zeros", &init::zeros, "All values are 0.");
  own.def("ones", &init::ones, "All values are 1.");
  own.def("uniform", &init::uniform, "a"_a = 0.0, "b"_a = 1.0, "Uniform in [a, b). Raises ValueError unless a <= b.");
  own.def("normal", &init::normal, "mean"_a = 0.0, "std"_a = 1.0, "Normal, with mean and standard deviation.");
  own.def("kaiming_uniform", &init::kaiming_uniform, "fan_in"_a, "a"_a = 0.0,
          "Uniform within sqrt(6 / ((1 + a^2) fan_in)) (He et al., arXiv:1502.01852).");
  own.def("kaiming_normal", &init::kaiming_normal, "fan_in"_a, "a"_a = 0.0,
          "Normal with deviation sqrt(2 / ((1 + a^2) fan_in)) (He et al., arXiv:1502.01852).");
  own.def("xavier_uniform", &init::xavier_uniform, "fan_in"_a, "fan_out"_a, "gain"_a = 1.0,
          "Uniform within gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).");
  own.def("xavier_normal", &init::xavier_normal, "fan_in"_a, "fan_out"_a, "gain"_a = 1.0,
          "Normal with deviation gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010).");
}

void bind_parameters(nb::module_& m) {
  nb::class_<Parameters> parameters(
      m, "Parameters", nb::is_weak_referenceable(),
      "The arena of a model's parameters: values and gradients, each in one block, so "
      "that an optimizer step is one call.\n\n"
      "With `sets=S` every parameter has a leading axis of S sets, trained at once. "
      "`seed` is that of the initial values; without one every parameter takes the next "
      "numbers of the global generator (manual_seed), as luge.rand does. Set i draws what set `first_set "
      "+ i` of a larger batch draws.\n\n"
      ">>> params = luge.Parameters(sets=1000)\n>>> x = params.add(\"x\", (), "
      "luge.init.constant(-1))\n>>> x.shape\n(1000,)");
  parameters
      .def(
          "__init__",
          [](Parameters* self, std::optional<std::int64_t> sets, std::optional<DeviceArgument> device,
             std::optional<PyDType> dtype, std::optional<std::uint64_t> seed, std::int64_t first_set) {
            new (self) Parameters({.sets = sets,
                                   .device = device.value_or(Device::cpu()),
                                   .dtype = dtype ? dtype->value : DType::Float32,
                                   .seed = seed,
                                   .first_set = first_set});
          },
          "sets"_a = nb::none(), nb::kw_only(), "device"_a = nb::none(), "dtype"_a = nb::none(), "seed"_a = nb::none(),
          "first_set"_a = 0)
      .def(
          "add",
          [](Parameters& self, const std::string& name, nb::handle shape, const Init& init) {
            return self.add(name, sizes("Parameters.add", shape), init);
          },
          "name"_a, "shape"_a.none(), "init"_a,
          nb::sig("def add(self, name: str, shape: int | Sequence[int], init: Init) -> Tensor"),
          "Adds a parameter, with the leading axis of the sets where there is one. Raises ValueError for a name in use "
          "and "
          "once an optimizer works on the arena.")
      .def(
          "__getitem__", [](const Parameters& self, const std::string& name) { return self[name]; }, "name"_a,
          "By name. Raises ValueError naming what there is.")
      .def("__len__", [](const Parameters& self) { return self.names().size(); })
      .def(
          "__iter__", [](const Parameters& self) { return nb::iter(nb::cast(self.tensors())); },
          nb::sig("def __iter__(self) -> Iterator[Tensor]"))
      .def("names", &Parameters::names, "All names, in the order of adding.")
      .def("tensors", &Parameters::tensors, "All parameters, in the order of adding.")
      .def("_inits", &Parameters::inits, "What they start as, in the order of adding; None where nobody knows.")
      .def(
          "_set_init",
          [](Parameters& self, const std::string& name, const std::optional<Init>& init) { self.set_init(name, init); },
          "name"_a, "init"_a.none())
      .def_prop_ro("sets", &Parameters::sets, "Number of sets; 1 for an ordinary model.")
      .def_prop_ro("batched", &Parameters::batched, "Whether parameters have a leading axis of sets.")
      .def_prop_ro(
          "dtype", [](const Parameters& self) { return dtype_object(self.dtype()); },
          nb::sig("def dtype(self) -> dtype"))
      .def_prop_ro("device", &Parameters::device)
      .def_prop_ro(
          "seed", [](const Parameters& self) { return self.options().seed; },
          "The seed of the initial values; None where they come from the global generator.")
      .def_prop_ro(
          "first_set", [](const Parameters& self) { return self.options().first_set; }, "The number of the first set.")
      .def("__eq__",
           [](const Parameters& self, nb::handle other) {
             return nb::isinstance<Parameters>(other) && self == nb::cast<Parameters>(other);
           })
      .def("__hash__", [](const Parameters& self) { return self.id() >> 4; })
      .def("__copy__", [](const Parameters& self) { return self; })
      .def_prop_ro("_adopted", &Parameters::adopted, "Whether it is an optimizer's own arena of loose leaves.")
      .def("numel", &Parameters::count, "Elements of all parameters of all sets.")
      .def("count_per_set", &Parameters::count_per_set, "Elements of all parameters of one set.")
      .def("zero_grad", &Parameters::zero_grad, "Forgets all gradients; touches no memory.")
      .def(
          "set_active",
          [](Parameters& self, const Tensor& mask) {
            const Unlocked unlocked(kQuick);
            self.set_active(mask);
          },
          "mask"_a, nb::sig("def set_active(self, mask: Tensor) -> None"),
          "Says which sets optimizers step: the others keep their values and their optimizer state, whatever their "
          "gradients are. `mask` is bool, of shape (sets) or (); a captured step may compute it, if this was called "
          "before, too.\n\n>>> params = luge.Parameters(sets=2)\n>>> x = params.add(\"x\", (), luge.init.ones())\n"
          ">>> params.set_active(luge.tensor([True, False]))\n>>> params.active().tolist()\n[True, False]")
      .def("active", &Parameters::active, "Which sets optimizers step: bool, of shape (sets), or () for an ordinary model.")
      .def(
          "clip_grad_norm_",
          [](Parameters& self, nb::handle max_norm) {
            const SourceLocation at = location();
            const PerSet given = per_set("clip_grad_norm_", "max_norm", max_norm);
            const Unlocked unlocked(kQuick);
            return given.is_tensor() ? self.clip_grad_norm_(given.values(), at) : self.clip_grad_norm_(given.value());
          },
          "max_norm"_a.none(), nb::sig("def clip_grad_norm_(self, max_norm: float | Tensor) -> Tensor"),
          "Scales the gradients of each set so that their joint 2-norm is at most `max_norm`; returns the norms "
          "before, of "
          "shape (sets), or () for an ordinary model.")
      .def("__repr__", [](const Parameters& self) {
        const std::string sets = self.batched() ? fmt::format("sets={}, ", self.sets()) : "";
        return fmt::format("<luge.Parameters: {}{} parameters of {} elements, {} on {}>", sets, self.names().size(),
                           self.count_per_set(), name(self.dtype()), to_string(self.device()));
      });
}

/// What the modules of luge.nn, which are written in Python, need of leaves.
void bind_leaves(nb::module_& m) {
  m.def(
      "_clip_grad_norm_",
      [](nb::handle parameters, nb::handle max_norm) {
        const SourceLocation at = location();
        const std::vector<Tensor> leaves = leaves_in("clip_grad_norm_", "parameters", parameters);
        const PerSet given = per_set("clip_grad_norm_", "max_norm", max_norm);
        const Unlocked unlocked(kQuick);
        return given.is_tensor() ? clip_grad_norm_(leaves, given.values(), at) : clip_grad_norm_(leaves, given.value());
      },
      "parameters"_a.none(), "max_norm"_a.none(), "luge.nn.clip_grad_norm_ for an iterable of tensors.");
  m.def(
      "_convert",
      [](const std::vector<Tensor>& parameters, std::optional<PyDType> dtype, std::optional<DeviceArgument> device,
         const std::string& op) {
        const SourceLocation at = location();
        const std::optional<DType> to_dtype = dtype ? std::optional(dtype->value) : std::nullopt;
        const std::optional<Device> to_device = device ? std::optional(Device(*device)) : std::nullopt;
        const Unlocked unlocked(kQuick);
        nn::convert(parameters, to_dtype, to_device, op.c_str(), at);
      },
      "parameters"_a, "dtype"_a.none(), "device"_a.none(), "op"_a, "Changes dtype or device in place.");
  m.def(
      "_is_parameter", [](const Tensor& x) { return x.impl()->leaf && !x.impl()->grad_fn; }, "x"_a,
      "Whether it is a leaf that requires a gradient, or has.");
  m.def(
      "_as_parameter",
      [](nb::handle x, bool requires_grad) {
        TensorImpl& impl = *self_of(x).impl();
        if (!impl.leaf && observer) observer->forgets_gradient(impl);  // it begins with none
        if (!impl.leaf) impl.leaf = std::make_unique<LeafGradient>();
        self_of(x).requires_grad_(requires_grad);
        return nb::borrow(x);
      },
      "x"_a, "requires_grad"_a, nb::sig("def _as_parameter(x: Tensor, requires_grad: bool) -> Tensor"),
      "The same tensor, known for a parameter.");
  m.def(
      "_home_of", [](const Tensor& x) { return Parameters::home_of(x); }, "x"_a, "The arena that a leaf lives in.");
}

}  // namespace

void bind_training(nb::module_& m) {
  bind_init(m);
  bind_parameters(m);
  bind_leaves(m);
  nb::module_ optim = m.def_submodule("_optim", "Optimizers.");
  bind_optimizers(optim);
  nb::module_ schedules = m.def_submodule("_lr_scheduler", "Learning-rate schedules.");  // flat, for the sake of stubs
  bind_schedules(schedules);
}

}  // namespace luge::python
