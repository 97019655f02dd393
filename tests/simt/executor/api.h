#pragma once

/// What programs may call in the executor's library; everything else in it is hidden.
#define SIMT_API __attribute__((visibility("default")))
