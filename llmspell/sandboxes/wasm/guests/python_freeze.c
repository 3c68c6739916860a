/* Used by the build only: the same interpreter, without any module, that turns Python sources into
 * bytecode for the guest. As CPython's own Programs/_freeze_module.c, but over the channel: a frame
 * is a name, a zero byte and the source; the answer is the marshalled code, or empty. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <marshal.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

PyStatus _PyConfig_InitPathConfig(PyConfig *config, int compute);
PyStatus _PyConfig_InitPathConfig(PyConfig *config, int compute) {
  (void)config;
  (void)compute;
  return PyStatus_Ok();
}

static bool start(void) {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.use_hash_seed = 1; /* the same bytes from the same source: sets are in order of hashes */
  config.hash_seed = 0;
  config._install_importlib = 0;
  config._init_main = 0;
  return !PyStatus_Exception(Py_InitializeFromConfig(&config));
}

static PyObject *freeze(const char *name, const char *source) {
  char file[200];
  PyOS_snprintf(file, sizeof file, "<frozen %s>", name);
  PyObject *code = Py_CompileStringExFlags(source, file, Py_file_input, NULL, 0);
  PyObject *bytes = code == NULL ? NULL : PyMarshal_WriteObjectToString(code, Py_MARSHAL_VERSION);
  Py_XDECREF(code);
  return bytes;
}

GUEST_EXPORT("guest_run") int32_t guest_run(void) {
  if (!start()) {
    return 1;
  }
  for (;;) {
    int32_t length = host_recv(HOST_WAIT_FOREVER);
    if (length == HOST_CLOSED) {
      return 0;
    }
    char *frame = calloc((size_t)length + 1, 1);
    if (frame == NULL) {
      return 1;
    }
    host_read(frame);
    PyObject *bytes = freeze(frame, frame + strlen(frame) + 1);
    free(frame);
    if (bytes == NULL) {
      return 1;
    }
    host_send(PyBytes_AS_STRING(bytes), (int32_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
  }
}
