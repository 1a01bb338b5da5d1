#include "engine/cpu/activation_pool.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "base/integer_math.h"

namespace srdiff::cpu {
namespace {

/// Smaller blocks come from the C library's heap, which hands them out again without clearing them.
constexpr std::size_t large = 4 << 20;

/// Sizes are rounded up to a multiple of this, so that similar sizes share blocks.
constexpr std::size_t size_step = 1 << 16;

constexpr std::size_t alignment = 64;

}  // namespace

namespace {

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

/// Free blocks by size. A block remembers its pool and the last call that took it.
class ActivationPool::FreeBlocks : public std::enable_shared_from_this<ActivationPool::FreeBlocks> {
 public:
  struct Block {
    std::shared_ptr<FreeBlocks> pool;  ///< null while the block is free
    std::size_t bytes = 0;
    unsigned long taken = 0;
  };
  static_assert(sizeof(Block) <= alignment, "a block's head stands before its data");

  static void* data_of(Block* block) { return reinterpret_cast<char*>(block) + alignment; }
  static Block* of_data(void* data) {
    return reinterpret_cast<Block*>(static_cast<char*>(data) - alignment);
  }

  FreeBlocks() = default;
  FreeBlocks(const FreeBlocks&) = delete;
  FreeBlocks& operator=(const FreeBlocks&) = delete;
  ~FreeBlocks() { release_before(~0UL); }

  unsigned long next_call() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ++calls_;
  }

  /// `bytes` of uncleared memory, aligned as LibTorch's own.
  Block* take(std::size_t bytes) {
    bytes = static_cast<std::size_t>(round_up(static_cast<std::int64_t>(bytes), size_step));
    Block* block = nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = free_.lower_bound(bytes);
    if (found != free_.end() && found->first <= bytes + bytes / 4) {
      block = found->second;
      free_.erase(found);
    } else {
      void* memory = std::aligned_alloc(alignment, alignment + bytes);
      if (memory == nullptr) {
        throw std::bad_alloc();
      }
      block = new (memory) Block{nullptr, bytes};
      Addresses::add(data_of(block));
    }
    block->pool = shared_from_this();
    block->taken = calls_;
    return block;
  }

  static void give_back(Block* block) {
    const std::shared_ptr<FreeBlocks> pool = std::move(block->pool);
    const std::lock_guard<std::mutex> lock(pool->mutex_);
    pool->free_.emplace(block->bytes, block);
  }

  /// Returns the blocks to the system that no call from number `first` on has taken.
  void release_before(unsigned long first) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto at = free_.begin(); at != free_.end();) {
      Block* block = at->second;
      if (block->taken >= first) {
        ++at;
        continue;
      }
      at = free_.erase(at);
      Addresses::remove(data_of(block));
      block->~Block();
      std::free(block);
    }
  }

  std::size_t kept() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::accumulate(free_.begin(), free_.end(), std::size_t{0},
                           [](std::size_t sum, const auto& entry) { return sum + entry.first; });
  }

 private:
  mutable std::mutex mutex_;
  std::multimap<std::size_t, Block*> free_;
  unsigned long calls_ = 0;
};

namespace {

using FreeBlocks = ActivationPool::FreeBlocks;

thread_local FreeBlocks* pool_of_call = nullptr;

void give_back(void* data) {
  FreeBlocks::give_back(FreeBlocks::of_data(data));
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
    if (pool_of_call == nullptr || bytes < large) {
      return others->allocate(bytes);
    }
    FreeBlocks::Block* block = pool_of_call->take(bytes);
    return {FreeBlocks::data_of(block), FreeBlocks::data_of(block), &give_back,
            c10::Device(c10::kCPU)};
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

ActivationPool::ActivationPool() : pool_(std::make_shared<FreeBlocks>()) {}

std::size_t ActivationPool::kept() const {
  return pool_->kept();
}

ActivationPool::Call::Call(const ActivationPool& memory)
    : pool_(memory.pool_.get()),
      outer_(std::exchange(pool_of_call, pool_)),
      number_(pool_->next_call()) {}

ActivationPool::Call::~Call() {
  pool_of_call = outer_;
  pool_->release_before(number_);
}

}  // namespace srdiff::cpu
