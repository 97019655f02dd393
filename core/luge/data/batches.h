#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <luge/data/dataset.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// One mini-batch on the device: images (batch, pixels), labels (batch).
struct Batch {
  Tensor images, labels;
};

struct BatchesOptions {
  std::int64_t batch = 64;
  std::uint64_t seed = 0;  ///< of the shuffling
  bool shuffle = true;
  Device device = Device::cpu();
};

/// Serves a data set in mini-batches, in an order of its own for every epoch. The samples move to the
/// device once; a batch is picked there.
///
///   for (const Batch& batch : batches.epoch(e)) train_on(batch.images, batch.labels);
class Batches {
 public:
  /// Throws ValueError unless 1 <= batch <= count, ShapeError unless there are as many images as labels.
  Batches(const LabelledImages& samples, BatchesOptions options = {});

  class Epoch;
  /// The batches of epoch `number`: a permutation keyed by (seed, number), the same on every device.
  /// The last batch is smaller where batch does not divide the count.
  Epoch epoch(std::int64_t number, SourceLocation location = SourceLocation::current()) const;
  /// Batches in an epoch.
  std::int64_t size() const { return (count_ + options_.batch - 1) / options_.batch; }
  const BatchesOptions& options() const { return options_; }
  /// Samples.
  std::int64_t count() const { return count_; }

 private:
  Tensor images_, labels_;
  BatchesOptions options_;
  std::int64_t count_ = 0;
};

/// A pass over all samples.
class Batches::Epoch {
 public:
  class Iterator {
   public:
    Iterator(const Epoch& epoch, std::int64_t index) : epoch_(&epoch), index_(index) {}
    Batch operator*() const { return (*epoch_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.index_ == b.index_; }

   private:
    const Epoch* epoch_;
    std::int64_t index_;
  };

  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, batches_.size()}; }
  /// Batches in it.
  std::int64_t size() const { return batches_.size(); }
  /// Throws IndexError outside [0, size).
  Batch operator[](std::int64_t index) const;

 private:
  friend class Batches;
  Epoch(const Batches& batches, Tensor order) : batches_(batches), order_(std::move(order)) {}

  Batches batches_;  // a handle on the samples, so that an epoch may outlive what served it
  Tensor order_;     // undefined: as they are
};

/// Serves batches one after the other, epoch after epoch, and knows where it is, so that a checkpoint can say so.
///
///   BatchStream stream(batches);
///   while (stream.epoch() < 5) train_on(stream.next());
class BatchStream {
 public:
  explicit BatchStream(Batches batches) : batches_(std::move(batches)) {}

  /// The batch at the present place; moves on to the next.
  Batch next(SourceLocation location = SourceLocation::current());
  /// The epoch of the batch that next() serves, and its number in the epoch.
  std::int64_t epoch() const { return epoch_; }
  std::int64_t index() const { return index_; }
  const Batches& batches() const { return batches_; }
  /// Goes to a place. Throws ValueError unless 0 <= epoch and 0 <= index < batches().size().
  void seek(std::int64_t epoch, std::int64_t index = 0);

 private:
  Batches batches_;
  std::int64_t epoch_ = 0, index_ = 0;
  std::optional<Batches::Epoch> current_;  // whose number is epoch_
};

}  // namespace luge
