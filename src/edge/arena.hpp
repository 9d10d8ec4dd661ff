#pragma once
/// \file
/// One block of memory, parted once.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace dermis::edge {

/// Hands out parts of a block, each on a cache line of its own. Without a block it only adds up how
/// large one must be: the same code parts both.
class Arena {
 public:
  /// Takes the memory that the parts handed out so far need, filled with zeros, and starts again.
  void allocate() {
    block_.reset(static_cast<std::byte*>(::operator new(used_, alignment)));
    bytes_ = used_;
    used_ = 0;
    for (std::size_t i = 0; i < bytes_; ++i) block_.get()[i] = std::byte{0};
  }

  template <class T>
  T* take(std::int64_t count) {
    constexpr auto line = static_cast<std::size_t>(alignment);
    const std::size_t at = used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + line - 1) / line * line;
    return block_ ? reinterpret_cast<T*>(block_.get() + at) : nullptr;
  }

  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* block) const { ::operator delete(block, alignment); }
  };
  std::unique_ptr<std::byte, Free> block_;
  std::size_t bytes_ = 0, used_ = 0;
};

}  // namespace dermis::edge
