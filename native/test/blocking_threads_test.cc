// Threads that may block: who makes them stick uses up its own, and whatever is left of a job ends there.
// Worth the most under ThreadSanitizer, which `npm run test:asan` runs these under.
#include <memory>
#include <thread>
#include <vector>

#include "core/base/blocking_threads.h"
#include "test/harness.h"
#include "test/waits.h"

namespace rxvhost::test {
namespace {

/// They end with the process.
BlockingThreads& threads_of(size_t most, size_t each) {
  static auto* all = new std::vector<BlockingThreads*>;
  return *all->emplace_back(new BlockingThreads(most, each));
}

void stuck_jobs_of_one_keep_no_other() {
  BlockingThreads& threads = threads_of(8, 2);
  Gate gate;
  Count done, others;
  const auto stuck = [&] {
    gate.pass();
    done.add();
  };
  for (int n = 0; n < 100; n++) check(threads.run(1, stuck), "taken");
  gate.until_inside(2);
  for (uint32_t whose = 2; whose < 200; whose++) check(threads.run(whose, [&] { others.add(); }), "taken");
  others.until(198);
  check(gate.inside() == 2, "two of it are stuck, and the rest of it waits");
  gate.open();
  done.until(100);
  check(gate.inside() == 100, "each ran once");
}

void jobs_wait_when_all_threads_are_stuck() {
  BlockingThreads& threads = threads_of(4, 2);
  Gate gate;
  Count done;
  for (uint32_t whose = 0; whose < 4; whose++)
    check(threads.run(whose % 2,
                      [&] {
                        gate.pass();
                        done.add();
                      }),
          "taken");
  gate.until_inside(4);
  for (int n = 0; n < 10; n++) check(threads.run(7, [&] { done.add(); }), "taken");
  check(gate.inside() == 4, "as many threads as there may be");
  gate.open();
  done.until(14);
}

void what_a_job_holds_goes_on_its_thread() {
  BlockingThreads& threads = threads_of(2, 2);
  Count gone;
  std::thread::id where;
  const auto end = [&](int* held) {
    delete held;
    where = std::this_thread::get_id();
    gone.add();
  };
  check(threads.run(1, [held = std::shared_ptr<int>(new int, end)] {}), "taken");
  gone.until(1);
  check(where != std::this_thread::get_id(), "not where it was made");
}

const Register tests[] = {
    {"hostile C21: jobs that are stuck keep those of others from nothing", stuck_jobs_of_one_keep_no_other},
    {"hostile C21: jobs wait when all threads are stuck", jobs_wait_when_all_threads_are_stuck},
    {"hostile C21: what a job holds is let go on its thread", what_a_job_holds_goes_on_its_thread},
};

}  // namespace
}  // namespace rxvhost::test
