#pragma once
/// \file
/// Whether freed memory goes back to the system at once.

namespace dermis {

/// Lets the process keep up to 1 GiB of freed memory for its next allocations. A training step
/// frees what the next one allocates again; without this, glibc hands such blocks back to the
/// system and takes them anew, page by page: a fifth of the time of a small ViT's step. This is a
/// switch of glibc for the whole process: call it once, at the start of main, as the programs do.
/// \return whether memory is kept now; false where the C library is another one
bool keep_freed_memory();

}  // namespace dermis
