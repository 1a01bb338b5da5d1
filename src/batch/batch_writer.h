#pragma once

#include <string>

#include "batch/batch_account.h"
#include "batch/batch_job.h"
#include "batch/journal.h"
#include "batch/output_folder.h"

namespace srdiff {

/// Writes the finished pictures of a folder and notes them in the journal. Several threads may run
/// it.
class BatchWriter {
 public:
  /// All of these must outlive the writer.
  BatchWriter(const BatchPlan& plan, BatchAccount& account, Journal& journal,
              const OutputFolder& folder)
      : plan_(plan), account_(account), journal_(journal), folder_(folder) {}

  /// Encodes, writes and notes a picture. Where the output folder was removed, the run is stopped.
  /// Throws WriteError, InputError.
  void write(BatchJob& job);

 private:
  const BatchPlan& plan_;
  BatchAccount& account_;
  Journal& journal_;
  const OutputFolder& folder_;
};

}  // namespace srdiff
