#pragma once

#include "core/control/task.h"
#include "core/control/waiting_list.h"
#include "core/storage/database.h"

#include <string>
#include <vector>

namespace sg {

/// A picture of a task that succeeded.
struct TaskImage {
    std::string path;
    std::string infotext;
    std::int64_t seed = 0;
    std::int64_t subseed = 0;
};

/// The tasks in the database. Every change of state is one compare-and-set in one place, committed before the function
/// returns; the order is that in which the tasks were stored. Thread  the io thread, with its Database. Errors
/// NotFound, Conflict (the task is not in the state that the change starts from), and the database's.
class TaskQueue {
public:
    struct Limits {
        int waiting = 10'000;
        int waitingPerUser = 1'000;
    };
    struct Insertion {
        TaskRecord record;
        bool isNew = false;
    };

    TaskQueue(Database &database, WaitingList &waiting, const ParamTable &table, Limits limits);

    /// What a run that ended without a word left: running goes back to waiting, and nothing is charged for it. Returns
    /// how many.
    Expected<int> recover();

    /// Stores the tasks in one commit; each has an answer of its own. An id that is there with the same body and user
    /// answers that task. Errors  also QueueFull, and Conflict for another body.
    std::vector<Expected<Insertion>> insert(const std::vector<NewTask> &tasks);

    Expected<TaskRecord> find(const std::string &id);
    /// The same, with the waiting list brought up to what is stored.
    Expected<TaskRecord> refresh(const std::string &id);
    /// Newest first.
    Expected<std::vector<TaskRecord>> list(int limit, int offset);

    /// waiting -> running.
    Expected<TaskRecord> claim(const std::string &id);
    /// running -> waiting; `charged` counts the engine's death.
    Expected<TaskRecord> release(const std::string &id, bool charged);
    /// running -> succeeded, together with its result row.
    Expected<TaskRecord> succeed(const std::string &id, const std::vector<TaskImage> &images,
                                 const std::vector<std::string> &warnings = {});
    /// waiting or running -> failed or cancelled; `charged` as in release().
    Expected<TaskRecord> end(const std::string &id, TaskState from, TaskState to, const Error &error,
                             bool charged = false);

private:
    Expected<Insertion> insertOne(const NewTask &task, int alreadyWaiting, int alreadyWaitingOfUser);
    Expected<void> move(const std::string &id, TaskState from, TaskState to, const char *assignments,
                        QVariantList values);

    Database &m_database;
    WaitingList &m_waiting;
    const ParamTable &m_table;
    Limits m_limits;
};

/// The object path of a task's picture; `index` from 0.
std::string imagePath(const TaskRecord &task, int index);
/// How many pictures it makes: batch_size x n_iter, and the loops of loopback.
int imageCount(const TaskRecord &task);

}  // namespace sg
