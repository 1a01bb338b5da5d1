#pragma once

#include "base/bounded_queue.h"
#include "batch/batch_account.h"
#include "batch/batch_job.h"
#include "batch/journal.h"

namespace srdiff {

/// Reads and decodes pictures for the networks, each file once. Several threads may run it.
class BatchReader {
 public:
  /// `account`, `journal` and `decoded` must outlive the reader.
  BatchReader(const BatchPlan& plan, BatchAccount& account, Journal& journal,
              BoundedQueue<BatchJob>& decoded)
      : plan_(plan), account_(account), journal_(journal), decoded_(decoded) {}

  /// Reads the picture of `item` and hands it on, unless an earlier run has made its output.
  /// Throws InputError where it cannot be read or made.
  void read(const WorkItem& item);

 private:
  bool is_done(const BatchJob& job);

  const BatchPlan& plan_;
  BatchAccount& account_;
  Journal& journal_;
  BoundedQueue<BatchJob>& decoded_;
};

}  // namespace srdiff
