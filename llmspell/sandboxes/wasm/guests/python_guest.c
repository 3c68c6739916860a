/* The Python guest (CPython 3.13): an interpreter without files, threads or sockets, and a prelude
 * that drives everything. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "python_host.h"

/* What the prelude defined; its function `main` runs a spell. */
static PyObject *world;

/* CPython works out where its library lies by asking for files. It has none: every module is
 * frozen into this guest. */
PyStatus _PyConfig_InitPathConfig(PyConfig *config, int compute);
PyStatus _PyConfig_InitPathConfig(PyConfig *config, int compute) {
  (void)config;
  (void)compute;
  return PyStatus_Ok();
}

/* Places that `sys` names and modules take for granted. */
static PyStatus name_no_places(PyConfig *config) {
  wchar_t **places[] = {&config->executable, &config->base_executable, &config->prefix,
                        &config->base_prefix, &config->exec_prefix, &config->base_exec_prefix};
  PyStatus status = PyStatus_Ok();
  for (size_t i = 0; i < sizeof places / sizeof *places && !PyStatus_Exception(status); i++) {
    status = PyConfig_SetString(config, places[i], L"");
  }
  return status;
}

static PyStatus start(void) {
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  PyStatus status = Py_PreInitialize(&before);
  if (PyStatus_Exception(status)) {
    return status;
  }
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.install_signal_handlers = 0;
  config.pathconfig_warnings = 0;
  config.write_bytecode = 0;
  config.use_frozen_modules = 1;
  config.module_search_paths_set = 1;
  status = name_no_places(&config);
  if (!PyStatus_Exception(status)) {
    status = Py_InitializeFromConfig(&config);
  }
  PyConfig_Clear(&config);
  return status;
}

/* Tells what ended the prelude, and gives 1. */
static int32_t fail_with_exception(void) {
  bool memory = PyErr_ExceptionMatches(PyExc_MemoryError);
  PyObject *error = PyErr_GetRaisedException();
  PyObject *text = error == NULL ? NULL : PyObject_Str(error);
  Py_ssize_t length = 0;
  const char *message = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &length);
  if (memory) {
    guest_fail("memory", "the interpreter has no memory left", 34);
  } else if (message == NULL) {
    guest_fail("trap", "the prelude raised an error that is no text", 43);
  } else {
    guest_fail("trap", message, (uint32_t)length);
  }
  return 1;
}

static bool evaluate(const char *text) {
  PyObject *host = python_host();
  PyObject *name = PyUnicode_FromString("llmspell_prelude");
  world = PyDict_New();
  bool ready = host != NULL && name != NULL && world != NULL &&
               PyDict_SetItemString(world, "__host", host) == 0 &&
               PyDict_SetItemString(world, "__name__", name) == 0 &&
               PyDict_SetItemString(world, "__builtins__", PyEval_GetBuiltins()) == 0;
  Py_XDECREF(host);
  Py_XDECREF(name);
  PyObject *code = ready ? Py_CompileString(text, "<llmspell>", Py_file_input) : NULL;
  PyObject *result = code == NULL ? NULL : PyEval_EvalCode(code, world, world);
  Py_XDECREF(code);
  Py_XDECREF(result);
  return result != NULL;
}

GUEST_EXPORT("guest_alloc") void *guest_alloc(int32_t size) {
  /* The compiler wants its source to end in a zero byte; there is room for it. */
  return size > 0 ? calloc((size_t)size + 1, 1) : NULL;
}

GUEST_EXPORT("guest_boot") int32_t guest_boot(char *text, int32_t length) {
  (void)length;
  PyStatus status = start();
  if (PyStatus_Exception(status)) {
    const char *message = status.err_msg == NULL ? "CPython did not start" : status.err_msg;
    guest_fail(strstr(message, "memory") == NULL ? "trap" : "memory", message,
               (uint32_t)strlen(message));
    return 1;
  }
  bool done = evaluate(text);
  free(text);
  return done ? 0 : fail_with_exception();
}

GUEST_EXPORT("guest_run") int32_t guest_run(void) {
  PyObject *run = PyDict_GetItemString(world, "main");
  if (run == NULL) {
    return 0;
  }
  PyObject *result = PyObject_CallNoArgs(run);
  return result == NULL ? fail_with_exception() : 0;
}
