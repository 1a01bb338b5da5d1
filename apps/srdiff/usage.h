#pragma once

/// What `srdiff` without a word says, on standard error: what most people do with it.
/// Returns the exit status, that of wrong usage, since nothing was done.
int tell_usage();
