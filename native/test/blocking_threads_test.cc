// Threads that may block: an owner whose jobs block uses up only its own share of the threads, and a job's
// captures are destroyed on its thread. `npm run test:asan` runs these tests under ThreadSanitizer, which
// finds most errors here.
#include <memory>
#include <thread>
#include <vector>

#include "core/base/blocking_threads.h"
#include "test/harness.h"
#include "test/waits.h"

namespace rxvhost::test {
namespace {

/// Makes threads that end with the process.
BlockingThreads& threads_of(size_t most, size_t each) {
  static auto* all = new std::vector<BlockingThreads*>;
  return *all->emplace_back(new BlockingThreads(most, each));
}

void blocked_jobs_do_not_delay_other_owners() {
  BlockingThreads& threads = threads_of(8, 2);
  Gate gate;
  Count done, others;
  const auto stuck = [&] {
    gate.pass();
    done.add();
  };
  for (int n = 0; n < 100; n++) check(threads.run(1, stuck), "the job is accepted");
  gate.until_inside(2);
  for (uint32_t owner = 2; owner < 200; owner++)
    check(threads.run(owner, [&] { others.add(); }), "the job is accepted");
  others.until(198);
  check(gate.inside() == 2, "two jobs of the first owner are blocked, and the others wait");
  gate.open();
  done.until(100);
  check(gate.inside() == 100, "each job ran once");
}

void jobs_wait_when_all_threads_are_blocked() {
  BlockingThreads& threads = threads_of(4, 2);
  Gate gate;
  Count done;
  for (uint32_t n = 0; n < 4; n++)
    check(threads.run(n % 2,
                      [&] {
                        gate.pass();
                        done.add();
                      }),
          "the job is accepted");
  gate.until_inside(4);
  for (int n = 0; n < 10; n++) check(threads.run(7, [&] { done.add(); }), "the job is accepted");
  check(gate.inside() == 4, "no more threads than the limit run");
  gate.open();
  done.until(14);
}

void captures_are_destroyed_on_the_thread() {
  BlockingThreads& threads = threads_of(2, 2);
  Count gone;
  std::thread::id where;
  const auto end = [&](int* held) {
    delete held;
    where = std::this_thread::get_id();
    gone.add();
  };
  check(threads.run(1, [held = std::shared_ptr<int>(new int, end)] {}), "the job is accepted");
  gone.until(1);
  check(where != std::this_thread::get_id(), "the capture is not destroyed on the caller's thread");
}

const Register tests[] = {
    {"hostile C21: blocked jobs do not delay jobs of other owners", blocked_jobs_do_not_delay_other_owners},
    {"hostile C21: jobs wait when all threads are blocked", jobs_wait_when_all_threads_are_blocked},
    {"hostile C21: a job's captures are destroyed on its thread", captures_are_destroyed_on_the_thread},
};

}  // namespace
}  // namespace rxvhost::test
