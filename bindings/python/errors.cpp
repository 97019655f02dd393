// luge's exceptions as Python's: each is also the built-in exception that fits.

#include <cstring>
#include <new>

#include "python.h"

namespace luge::python {

namespace {

struct Types {
  PyObject *shape, *dtype, *device, *autograd, *linalg, *capture, *memory, *file, *cuda;
};
Types types;

PyObject* add(nb::module_& m, const char* name, PyObject* base, const char* doc) {
  const std::string full = nb::cast<std::string>(m.attr("__name__")) + "." + name;
  PyObject* const type = PyErr_NewExceptionWithDoc(full.c_str(), doc, base, nullptr);
  if (!type) nb::raise_python_error();
  m.attr(name) = nb::borrow(type);
  return type;
}

/// A path in a message may be no UTF-8.
void set_text(PyObject* type, const char* text) noexcept {
  PyObject* const words = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "backslashreplace");
  if (!words) return;
  PyErr_SetObject(type, words);
  Py_DECREF(words);
}

}  // namespace

void set_error() noexcept {
  try {
    throw;
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const ShapeError& error) {
    set_text(types.shape, error.what());
  } catch (const DTypeError& error) {
    set_text(types.dtype, error.what());
  } catch (const DeviceError& error) {
    set_text(types.device, error.what());
  } catch (const IndexError& error) {
    set_text(PyExc_IndexError, error.what());
  } catch (const ValueError& error) {
    set_text(PyExc_ValueError, error.what());
  } catch (const TypeError& error) {
    set_text(PyExc_TypeError, error.what());
  } catch (const AutogradError& error) {
    set_text(types.autograd, error.what());
  } catch (const LinAlgError& error) {
    set_text(types.linalg, error.what());
  } catch (const CaptureError& error) {
    set_text(types.capture, error.what());
  } catch (const OutOfMemoryError& error) {
    set_text(types.memory, error.what());
  } catch (const IoError& error) {
    set_text(types.file, error.what());
  } catch (const CudaError& error) {
    set_text(types.cuda, error.what());
  } catch (const nb::builtin_exception& error) {
    set_text(error.type() == nb::exception_type::type_error    ? PyExc_TypeError
             : error.type() == nb::exception_type::index_error ? PyExc_IndexError
             : error.type() == nb::exception_type::value_error ? PyExc_ValueError
                                                               : PyExc_RuntimeError,
             error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    set_text(PyExc_RuntimeError, error.what());
  }
}

void bind_errors(nb::module_& m) {
  types.shape = add(m, "ShapeError", PyExc_ValueError, "Sizes, dimensions or strides that do not fit together.");
  types.dtype = add(m, "DTypeError", PyExc_TypeError,
                    "An element type that the operation does not accept, or a mix that cannot be promoted.");
  types.device = add(m, "DeviceError", PyExc_RuntimeError,
                     "Tensors on different devices, or a device that cannot be used, with the true reason.");
  types.autograd =
      add(m, "AutogradError", PyExc_RuntimeError,
          "A backward pass that cannot run: no graph, a graph used twice, a saved tensor that was changed.");
  types.linalg = add(m, "LinAlgError", PyExc_RuntimeError,
                     "A matrix that cannot be factored or inverted: not positive definite, singular, not finite.");
  types.capture = add(m, "CaptureError", PyExc_RuntimeError, "A step that cannot be recorded or replayed.");
  types.memory = add(m, "OutOfMemoryError", PyExc_MemoryError,
                     "An allocation that cannot be had. A smaller one afterwards succeeds.");
  types.file = add(m, "IoError", PyExc_OSError, "A file that is missing, truncated or not what it should be.");
  types.cuda = add(m, "CudaError", PyExc_RuntimeError, "A call of CUDA or of its libraries that failed.");
  nb::register_exception_translator([](const std::exception_ptr& error, void*) {
    try {
      std::rethrow_exception(error);
    } catch (const CaptureError&) {
      set_error();  // names lines of the program
    } catch (const IoError&) {
      set_error();  // names a file
    } catch (const OutOfMemoryError&) {
      set_error();
    } catch (const CudaError&) {
      set_error();  // names the work that failed, which may be older than the call
    } catch (const Error&) {
      set_error();
      note_raised();
    }  // anything else is for the translators before this one
  });
}

}  // namespace luge::python
