#define PY_SSIZE_T_CLEAN
#include "python_host.h"

#include <Python.h>
#include <stdlib.h>

#include "host.h"

/* Frames that came while the guest slept, oldest first. */
struct frame {
  struct frame *next;
  int32_t length;
  char text[];
};
static struct frame *first;
static struct frame **last = &first;

void python_sleep(double milliseconds) {
  double until = host_clock(HOST_CLOCK_MONOTONIC) + milliseconds;
  for (double rest = milliseconds; rest > 0; rest = until - host_clock(HOST_CLOCK_MONOTONIC)) {
    int32_t length = host_recv(rest);
    if (length == HOST_CLOSED) {
      host_exit(0);
    }
    if (length == HOST_TIMEOUT) {
      continue;
    }
    struct frame *frame = malloc(sizeof *frame + (size_t)length);
    if (frame == NULL) {
      return; /* a sleep that is too short; the next recv reports the lack of memory */
    }
    host_read(frame->text);
    frame->length = length;
    frame->next = NULL;
    *last = frame;
    last = &frame->next;
  }
}

static PyObject *kept(void) {
  struct frame *frame = first;
  PyObject *text = PyUnicode_DecodeUTF8(frame->text, frame->length, NULL);
  if (text != NULL) {
    first = frame->next;
    last = first == NULL ? &first : last;
    free(frame);
  }
  return text;
}

static PyObject *arrived(int32_t length) {
  char *room = malloc((size_t)length);
  if (room == NULL) {
    return PyErr_NoMemory();
  }
  host_read(room);
  PyObject *text = PyUnicode_DecodeUTF8(room, length, NULL);
  free(room);
  return text;
}

static PyObject *py_send(PyObject *self, PyObject *text) {
  (void)self;
  Py_ssize_t length;
  const char *bytes = PyUnicode_AsUTF8AndSize(text, &length);
  if (bytes == NULL) {
    return NULL;
  }
  if (host_send(bytes, (int32_t)length) != 0) {
    PyErr_SetString(PyExc_ValueError, "a frame has 1 byte to 1 MiB");
    return NULL;
  }
  Py_RETURN_NONE;
}

static PyObject *py_recv(PyObject *self, PyObject *limit) {
  (void)self;
  double timeout = HOST_WAIT_FOREVER;
  if (limit != Py_None) {
    timeout = PyFloat_AsDouble(limit);
    if (PyErr_Occurred()) {
      return NULL;
    }
    timeout = timeout < 0 ? 0 : timeout;
  }
  if (first != NULL) {
    return kept();
  }
  int32_t length = host_recv(timeout);
  if (length == HOST_CLOSED) {
    host_exit(0);
  }
  if (length == HOST_TIMEOUT) {
    Py_RETURN_NONE;
  }
  return arrived(length);
}

PyObject *python_host(void) {
  static PyMethodDef functions[] = {
      {"send", py_send, METH_O, "Sends one frame of text, 1 byte to 1 MiB of UTF-8."},
      {"recv", py_recv, METH_O, "The next frame, or None when none came in so many milliseconds."},
      {NULL, NULL, 0, NULL},
  };
  static struct PyModuleDef definition = {
      .m_base = PyModuleDef_HEAD_INIT, .m_name = "llmspell_host", .m_methods = functions};
  PyObject *host = PyModule_Create(&definition);
  if (host != NULL && PyModule_AddObjectRef(host, "boots", Py_True) < 0) {
    Py_CLEAR(host);
  }
  return host;
}
