// The backends that live in the core. Each is reached through its query function alone, as a loaded one is.
#pragma once

#include "abi/backend.h"

#if defined(_WIN32)
#define IST_HIDDEN
#else
#define IST_HIDDEN __attribute__((visibility("hidden")))
#endif

extern "C" {
IST_HIDDEN ist_status ist_cpu_query(const ist_host* host, const ist_backend** out, ist_error* error);
IST_HIDDEN ist_status ist_reference_query(const ist_host* host, const ist_backend** out, ist_error* error);
IST_HIDDEN ist_status ist_null_query(const ist_host* host, const ist_backend** out, ist_error* error);
}
