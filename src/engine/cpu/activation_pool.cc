#include "engine/cpu/activation_pool.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <list>
#include <mutex>
#include <new>
#include <unordered_set>
#include <utility>

#include "base/integer_math.h"
#include "engine/cpu/memory_segment.h"

namespace srdiff::cpu {
namespace {

/// Smaller blocks come from the C library's heap, which hands them out again without clearing them.
constexpr std::size_t large = 4 << 20;

/// Sizes are rounded up to a multiple of this.
constexpr std::int64_t size_step = 1 << 16;

constexpr std::size_t alignment = 64;

/// The size of a segment that is made for a block. Pages that nothing has written take no memory,
/// so that it may be much larger than the block, unless addresses are short. Under the address
/// sanitizer each block has a segment of its own, so that it sees what goes beyond a block.
std::size_t segment_size(std::size_t block) {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
  static const bool addresses_are_free = [] {
    rlimit limit{};
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
  }();
  constexpr std::size_t usual = 1 << 30;
  return addresses_are_free ? std::max(block, usual) : block;
#else
  return block;
#endif
}

/// The addresses of all pools' blocks. LibTorch's allocator also serves oneDNN's memory, which is
/// freed by its address alone.
class Addresses {
 public:
  static void add(const void* data) {
    const std::lock_guard<std::mutex> lock(mutex());
    all().insert(data);
  }
  static void remove(const void* data) {
    const std::lock_guard<std::mutex> lock(mutex());
    all().erase(data);
  }
  static bool contain(const void* data) {
    const std::lock_guard<std::mutex> lock(mutex());
    return all().count(data) > 0;
  }

 private:
  // Never destroyed, since tensors may outlive static objects.
  static std::mutex& mutex() {
    static auto* const value = new std::mutex;
    return *value;
  }
  static std::unordered_set<const void*>& all() {
    static auto* const value = new std::unordered_set<const void*>;
    return *value;
  }
};

}  // namespace

/// The memory of one pool. A block remembers it.
class ActivationPool::Segments : public std::enable_shared_from_this<ActivationPool::Segments> {
 public:
  struct Block {
    std::shared_ptr<Segments> segments;
    std::size_t bytes;
  };
  static_assert(sizeof(Block) <= alignment, "a block's head stands before its data");

  static void* data_of(Block* block) { return reinterpret_cast<char*>(block) + alignment; }
  static Block* of_data(void* data) {
    return reinterpret_cast<Block*>(static_cast<char*>(data) - alignment);
  }

  /// `bytes` of uncleared memory, aligned as LibTorch's own.
  Block* take(std::size_t bytes) {
    bytes =
        static_cast<std::size_t>(round_up(static_cast<std::int64_t>(alignment + bytes), size_step));
    const std::lock_guard<std::mutex> lock(mutex_);
    void* memory = nullptr;
    for (auto segment = all_.begin(); memory == nullptr && segment != all_.end(); ++segment) {
      memory = segment->take(bytes);
    }
    if (memory == nullptr) {
      memory = new_segment(bytes).take(bytes);
    }
    auto* const block = new (memory) Block{shared_from_this(), bytes};
    Addresses::add(data_of(block));
    return block;
  }

  static void give_back(Block* block) {
    const std::shared_ptr<Segments> segments = std::move(block->segments);
    Addresses::remove(data_of(block));
    const std::size_t bytes = block->bytes;
    block->~Block();
    const std::lock_guard<std::mutex> lock(segments->mutex_);
    for (MemorySegment& segment : segments->all_) {
      if (segment.holds(block)) {
        segment.give_back(block, bytes);
      }
    }
  }

  void end_call() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (++calls_ % calls_without_use == 0) {
      all_.remove_if([](MemorySegment& segment) { return !segment.follow_use(); });
    }
  }

  std::size_t kept() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::size_t sum = 0;
    for (const MemorySegment& segment : all_) {
      sum += segment.kept();
    }
    return sum;
  }

 private:
  /// Those that are free are too small, and are given back first.
  MemorySegment& new_segment(std::size_t bytes) {
    all_.remove_if([](const MemorySegment& segment) { return segment.is_free(); });
    for (std::size_t size = segment_size(bytes);; size = std::max(bytes, size / 2)) {
      try {
        return all_.emplace_back(size);
      } catch (const std::bad_alloc&) {
        if (size == bytes) {
          throw;
        }
      }
    }
  }

  mutable std::mutex mutex_;
  std::list<MemorySegment> all_;
  unsigned long calls_ = 0;
};

namespace {

using Segments = ActivationPool::Segments;

thread_local Segments* segments_of_call = nullptr;

void give_back(void* data) {
  Segments::give_back(Segments::of_data(data));
}

/// Takes large blocks from the pool of this thread's call, and all other memory from LibTorch's own
/// allocator.
class Allocator final : public c10::Allocator {
 public:
  explicit Allocator(c10::Allocator* libtorchs) { others = libtorchs; }

  c10::DeleterFnPtr raw_deleter() const override { return &give_back_to_either; }

#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(std::size_t bytes) override {
    return allocated(bytes);
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
#else
  c10::DataPtr allocate(std::size_t bytes) const override {
    return allocated(bytes);
  }
#endif

 private:
  c10::DataPtr allocated(std::size_t bytes) const {
    if (segments_of_call == nullptr || bytes < large) {
      return others->allocate(bytes);
    }
    Segments::Block* block = segments_of_call->take(bytes);
    return {Segments::data_of(block), Segments::data_of(block), &give_back, c10::Device(c10::kCPU)};
  }

  static void give_back_to_either(void* data) {
    if (Addresses::contain(data)) {
      give_back(data);
    } else {
      others->raw_deallocate(data);
    }
  }

  static inline c10::Allocator* others = nullptr;
};

}  // namespace

// LibTorch has one CPU allocator. Ours is never destroyed, since tensors may outlive static
// objects.
void ActivationPool::install() {
  static auto* const installed = [] {
    auto* const ours = new Allocator(c10::GetCPUAllocator());
    c10::SetCPUAllocator(ours);
    return ours;
  }();
  static_cast<void>(installed);
}

ActivationPool::ActivationPool() : segments_(std::make_shared<Segments>()) {}

std::size_t ActivationPool::kept() const {
  return segments_->kept();
}

ActivationPool::Call::Call(const ActivationPool& memory)
    : segments_(memory.segments_.get()), outer_(std::exchange(segments_of_call, segments_)) {}

ActivationPool::Call::~Call() {
  segments_of_call = outer_;
  segments_->end_call();
}

}  // namespace srdiff::cpu
