// Mixed precision: the modes of luge.autocast, and the scaler of losses.

#include <fmt/format.h>

#include <luge/autograd/autocast.h>
#include <luge/train/averaging.h>
#include <luge/train/grad_scaler.h>

#include "python.h"

namespace luge::python {

namespace {

Device::Type device_type(const char* op, const std::string& text) {
  if (text == "cpu") return Device::Type::Cpu;
  if (text == "cuda") return Device::Type::Cuda;
  throw ValueError(fmt::format("{}: device_type is '{}'; allowed are 'cpu' and 'cuda'", op, text));
}

void bind_grad_scaler(nb::module_& m) {
  nb::class_<GradScaler>(m, "_GradScaler")
      .def(
          "__init__",
          [](GradScaler* self, DeviceArgument device, double init_scale, double growth_factor, double backoff_factor,
             std::int64_t growth_interval, bool enabled, std::optional<std::int64_t> sets) {
            new (self) GradScaler({.init_scale = init_scale,
                                   .growth_factor = growth_factor,
                                   .backoff_factor = backoff_factor,
                                   .growth_interval = growth_interval,
                                   .enabled = enabled,
                                   .sets = sets,
                                   .device = device});
          },
          "device"_a, "init_scale"_a, "growth_factor"_a, "backoff_factor"_a, "growth_interval"_a, "enabled"_a,
          "sets"_a = nb::none())
      .def("scale", &GradScaler::scale, "outputs"_a)
      .def("unscale_", &GradScaler::unscale_, "optimizer"_a)
      .def("found_inf", &GradScaler::found_inf, "optimizer"_a)
      .def(
          "step",
          [](GradScaler& self, const nb::object& optimizer) {  // whose step may be one of Python's
            self.step(nb::cast<Optimizer&>(optimizer), [&] { optimizer.attr("step")(); });
          },
          "optimizer"_a, nb::sig("def step(self, optimizer: object) -> None"))
      .def("update", nb::overload_cast<>(&GradScaler::update))
      .def(
          "update_to", [](GradScaler& self, double scale) { self.update(scale, location()); }, "new_scale"_a)
      .def("set_options",
           [](GradScaler& self, double growth_factor, double backoff_factor, std::int64_t growth_interval) {
             GradScalerOptions options = self.options();
             options.growth_factor = growth_factor;
             options.backoff_factor = backoff_factor;
             options.growth_interval = growth_interval;
             self.set_options(options);
           })
      .def_prop_ro("scale_tensor", &GradScaler::scale_tensor)
      .def_prop_ro("growth_tracker", &GradScaler::growth_tracker);
}

void bind_averaged(nb::module_& m) {
  nb::class_<Averaged>(m, "_Averaged")
      .def(
          "__init__",
          [](Averaged* self, const Parameters& parameters, std::optional<double> ema_decay) {
            new (self) Averaged(parameters, {.ema_decay = ema_decay});
          },
          "parameters"_a, "ema_decay"_a.none())
      .def("update", &Averaged::update)
      .def("swap", &Averaged::swap)
      .def("tensors", &Averaged::tensors)
      .def_prop_ro("count", &Averaged::count);
}

}  // namespace

void bind_amp(nb::module_& m) {
  bind_grad_scaler(m);
  bind_averaged(m);
  m.def(
      "is_autocast_enabled",
      [](const std::string& type) { return autocast_enabled(device_type("is_autocast_enabled", type)); },
      "device_type"_a = "cuda",
      "Whether operations of this thread on such a device choose their dtype (luge.autocast).\n\n"
      ">>> luge.is_autocast_enabled(\"cpu\")\nFalse");
  m.def(
      "set_autocast_enabled",
      [](const std::string& type, bool enabled) {
        set_autocast_enabled(device_type("set_autocast_enabled", type), enabled);
      },
      "device_type"_a, "enabled"_a, "Turns autocast for such a device on or off; luge.autocast does so for a region.");
  m.def(
      "get_autocast_dtype",
      [](const std::string& type) { return dtype_object(autocast_dtype(device_type("get_autocast_dtype", type))); },
      "device_type"_a, nb::sig("def get_autocast_dtype(device_type: str) -> dtype"),
      "The half type of products within autocast.\n\n>>> luge.get_autocast_dtype(\"cpu\")\nluge.bfloat16");
  m.def(
      "set_autocast_dtype",
      [](const std::string& type, PyDType dtype) {
        const Device::Type device = device_type("set_autocast_dtype", type);
        try {
          set_autocast_dtype(device, dtype.value);
        } catch (const DTypeError&) {
          throw DTypeError(fmt::format("set_autocast_dtype: dtype is {}; allowed are float16 and bfloat16", name(dtype.value)));
        }
      },
      "device_type"_a, "dtype"_a, "Chooses the half type of products within autocast. DTypeError for another type.");
  m.def("is_autocast_cache_enabled", &autocast_cache_enabled,
        "Whether a parameter is converted once for all its uses in a region.");
  m.def("set_autocast_cache_enabled", &set_autocast_cache_enabled, "enabled"_a,
        "Says whether a parameter is converted once for all its uses in a region.");
  m.def("autocast_increment_nesting", &autocast_increment_nesting, "Enters a region; the depth afterwards.");
  m.def("autocast_decrement_nesting", &autocast_decrement_nesting,
        "Leaves a region; the depth afterwards. Leaving the outermost one forgets the conversions.");
  m.def("clear_autocast_cache", &clear_autocast_cache, "Forgets the conversions of parameters.");
}

}  // namespace luge::python
