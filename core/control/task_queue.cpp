#include "core/control/task_queue.h"

#include "core/params/generation_request.h"

#include <QCryptographicHash>
#include <QDateTime>

#include <algorithm>
#include <map>

namespace sg {
namespace {

constexpr const char *kColumns =
    "SELECT t.id, t.user, t.model, t.state, t.params, t.body, t.notes, t.error_code, t.error_message, "
    "t.error_subject, t.attempts, t.created_ms, t.started_ms, t.ended_ms, r.images, t.seq "
    "FROM tasks t LEFT JOIN results r ON r.task = t.seq ";

QString text(const std::string &value)
{
    return QString::fromStdString(value);
}

std::string textAt(const QSqlQuery &query, int column)
{
    return query.value(column).toString().toStdString();
}

Json jsonAt(const QSqlQuery &query, int column)
{
    Expected<Json> json = parseJson(textAt(query, column));
    return json ? std::move(*json) : Json();
}

/// Equal for equal requests, whatever the order of their fields; another user is another request.
QString bodyHash(const NewTask &task)
{
    const nlohmann::json sorted = task.body;
    const std::string all = task.user + "\n" + sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return QString::fromLatin1(
        QCryptographicHash::hash(QByteArray::fromStdString(all), QCryptographicHash::Sha256).toHex());
}

TaskRecord recordAt(const QSqlQuery &query)
{
    TaskRecord record;
    record.id = textAt(query, 0);
    record.user = textAt(query, 1);
    record.model = textAt(query, 2);
    record.state = static_cast<TaskState>(query.value(3).toInt());
    record.params = jsonAt(query, 4);
    record.body = jsonAt(query, 5);
    for (const Json &note : jsonAt(query, 6))
        if (note.is_string()) record.notes.push_back(note.get<std::string>());
    if (const std::string code = textAt(query, 7); !code.empty())
        record.error = {errorFromName(code), textAt(query, 8), textAt(query, 9)};
    record.attempts = query.value(10).toInt();
    record.createdMs = query.value(11).toLongLong();
    record.startedMs = query.value(12).toLongLong();
    record.endedMs = query.value(13).toLongLong();
    for (const Json &image : query.isNull(14) ? Json::array() : jsonAt(query, 14)) {
        if (!image.is_object()) continue;
        record.images.push_back(image.value("path", std::string()));
        record.infotexts.push_back(image.value("infotext", std::string()));
        record.seeds.push_back(image.value("seed", std::int64_t{0}));
        record.subseeds.push_back(image.value("subseed", std::int64_t{0}));
    }
    return record;
}

bool isRefusal(const Error &error)
{
    return error.code == ErrorCode::Conflict || error.code == ErrorCode::QueueFull;
}

TaskRecord recordOf(const NewTask &task, const ParamTable &table, std::int64_t createdMs)
{
    TaskRecord record;
    record.id = task.id;
    record.user = task.user;
    record.model = task.model;
    record.params = task.values.toJson(table);
    record.body = task.body;
    record.notes = task.notes;
    record.createdMs = createdMs;
    return record;
}

}  // namespace

TaskQueue::TaskQueue(Database &database, WaitingList &waiting, const ParamTable &table, Limits limits)
    : m_database(database), m_waiting(waiting), m_table(table), m_limits(limits)
{
}

Expected<int> TaskQueue::recover()
{
    const Expected<int> moved = m_database.change("UPDATE tasks SET state = 0 WHERE state = 1");
    if (!moved) return moved;
    Expected<QSqlQuery> query = m_database.run("SELECT seq, id, user FROM tasks WHERE state = 0 ORDER BY seq");
    if (!query) return Unexpected{query.error()};
    while (query->next())
        m_waiting.add(query->value(0).toLongLong(), textAt(*query, 1), textAt(*query, 2));
    return moved;
}

std::vector<Expected<TaskQueue::Insertion>> TaskQueue::insert(const std::vector<NewTask> &tasks)
{
    std::vector<Expected<Insertion>> answers;
    std::vector<std::int64_t> sequences;
    const auto refuseAll = [&](const Error &error) {
        return std::vector<Expected<Insertion>>(tasks.size(), Expected<Insertion>(Unexpected{error}));
    };
    Expected<Transaction> transaction = Transaction::begin(m_database);
    if (!transaction) return refuseAll(transaction.error());
    int added = 0;
    std::map<std::string, int> addedOfUser;
    for (const NewTask &task : tasks) {
        answers.push_back(
            insertOne(task, m_waiting.count() + added, m_waiting.count(task.user) + addedOfUser[task.user]));
        sequences.push_back(0);
        // After an error of its own SQLite may have rolled everything back, also what went well.
        if (const Expected<Insertion> &answer = answers.back(); !answer && !isRefusal(answer.error()))
            return refuseAll(answer.error());
        if (!answers.back() || !answers.back()->isNew) continue;
        ++added;
        ++addedOfUser[task.user];
        Expected<QSqlQuery> query = m_database.run("SELECT last_insert_rowid()");
        if (!query || !query->next())
            return refuseAll(query ? Error{ErrorCode::Internal, "no row number", {}} : query.error());
        sequences.back() = query->value(0).toLongLong();
    }
    if (Expected<void> committed = transaction->commit(); !committed) return refuseAll(committed.error());
    for (std::size_t i = 0; i < tasks.size(); ++i)
        if (sequences[i] > 0) m_waiting.add(sequences[i], tasks[i].id, tasks[i].user);
    return answers;
}

Expected<TaskQueue::Insertion> TaskQueue::insertOne(const NewTask &task, int alreadyWaiting, int alreadyWaitingOfUser)
{
    const QString hash = bodyHash(task);
    {
        Expected<QSqlQuery> query = m_database.run("SELECT body_hash FROM tasks WHERE id = ?", {text(task.id)});
        if (!query) return Unexpected{query.error()};
        if (query->next()) {
            if (query->value(0).toString() != hash)
                return fail(ErrorCode::Conflict, "a task with this id and another body is there already", "taskId");
            // Also puts back a waiting task whose first submission was committed although it was answered with an
            // error.
            Expected<TaskRecord> record = refresh(task.id);
            if (!record) return Unexpected{record.error()};
            return Insertion{std::move(*record), false};
        }
    }
    if (alreadyWaiting >= m_limits.waiting)
        return fail(ErrorCode::QueueFull,
                    std::to_string(alreadyWaiting) + " tasks are waiting, which is the most allowed");
    if (alreadyWaitingOfUser >= m_limits.waitingPerUser)
        return fail(ErrorCode::QueueFull,
                    std::to_string(alreadyWaitingOfUser) + " tasks of this user are waiting, which is the most allowed",
                    "username");
    Insertion made{recordOf(task, m_table, QDateTime::currentMSecsSinceEpoch()), true};
    const Json notes(task.notes);
    const QVariantList values{text(task.id),
                              text(task.user),
                              text(task.model),
                              text(dumpJson(made.record.params)),
                              text(dumpJson(task.body)),
                              hash,
                              text(dumpJson(notes)),
                              imageCount(made.record),
                              qlonglong{made.record.createdMs}};
    const Expected<int> stored =
        m_database.change("INSERT INTO tasks (id, user, model, state, params, body, body_hash, notes, image_count, "
                          "created_ms) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
                          values);
    if (!stored) return Unexpected{stored.error()};
    return made;
}

Expected<TaskRecord> TaskQueue::find(const std::string &id)
{
    static const std::string sql = std::string(kColumns) + "WHERE t.id = ?";
    Expected<QSqlQuery> query = m_database.run(sql.c_str(), {text(id)});
    if (!query) return Unexpected{query.error()};
    if (!query->next()) return fail(ErrorCode::NotFound, "no such task", "taskId");
    return recordAt(*query);
}

Expected<std::vector<TaskRecord>> TaskQueue::list(int limit, int offset)
{
    static const std::string sql = std::string(kColumns) + "ORDER BY t.seq DESC LIMIT ? OFFSET ?";
    Expected<QSqlQuery> query = m_database.run(sql.c_str(), {std::max(limit, 0), std::max(offset, 0)});
    if (!query) return Unexpected{query.error()};
    std::vector<TaskRecord> records;
    while (query->next())
        records.push_back(recordAt(*query));
    return records;
}

/// The one state machine: the change happens only from `from`.
Expected<void> TaskQueue::move(const std::string &id, TaskState from, TaskState to, const char *assignments,
                               QVariantList values)
{
    const std::string sql = std::string("UPDATE tasks SET state = ?, ") + assignments + " WHERE id = ? AND state = ?";
    values.prepend(static_cast<int>(to));
    values << text(id) << static_cast<int>(from);
    const Expected<int> changed = m_database.change(sql.c_str(), values);
    if (!changed) return Unexpected{changed.error()};
    if (*changed == 1) return {};
    return fail(ErrorCode::Conflict, "the task is not " + std::string(taskStateName(from)), "taskId");
}

Expected<TaskRecord> TaskQueue::refresh(const std::string &id)
{
    static const std::string sql = std::string(kColumns) + "WHERE t.id = ?";
    Expected<QSqlQuery> query = m_database.run(sql.c_str(), {text(id)});
    if (!query) return Unexpected{query.error()};
    if (!query->next()) return fail(ErrorCode::NotFound, "no such task", "taskId");
    TaskRecord record = recordAt(*query);
    if (record.state == TaskState::Waiting)
        m_waiting.add(query->value(15).toLongLong(), record.id, record.user);
    else
        m_waiting.remove(record.id);
    return record;
}

Expected<TaskRecord> TaskQueue::claim(const std::string &id)
{
    const Expected<void> moved = move(id, TaskState::Waiting, TaskState::Running, "started_ms = ?",
                                      {qlonglong{QDateTime::currentMSecsSinceEpoch()}});
    if (!moved) return Unexpected{moved.error()};
    return refresh(id);
}

Expected<TaskRecord> TaskQueue::release(const std::string &id, bool charged)
{
    const Expected<void> moved =
        move(id, TaskState::Running, TaskState::Waiting, "attempts = attempts + ?", {charged ? 1 : 0});
    if (!moved) return Unexpected{moved.error()};
    return refresh(id);
}

Expected<TaskRecord> TaskQueue::succeed(const std::string &id, const std::vector<TaskImage> &images,
                                        const std::vector<std::string> &warnings)
{
    const Expected<TaskRecord> before = find(id);
    if (!before) return Unexpected{before.error()};
    std::vector<std::string> notes = before->notes;
    notes.insert(notes.end(), warnings.begin(), warnings.end());
    Json stored = Json::array();
    for (const TaskImage &image : images)
        stored.push_back(
            {{"path", image.path}, {"infotext", image.infotext}, {"seed", image.seed}, {"subseed", image.subseed}});
    Expected<Transaction> transaction = Transaction::begin(m_database);
    if (!transaction) return Unexpected{transaction.error()};
    const Expected<void> moved = move(id, TaskState::Running, TaskState::Succeeded, "ended_ms = ?, notes = ?",
                                      {qlonglong{QDateTime::currentMSecsSinceEpoch()}, text(dumpJson(Json(notes)))});
    if (!moved) return Unexpected{moved.error()};
    const Expected<int> row = m_database.change(
        "INSERT INTO results (task, images) SELECT seq, ? FROM tasks WHERE id = ?", {text(dumpJson(stored)), text(id)});
    if (!row) return Unexpected{row.error()};
    if (Expected<void> committed = transaction->commit(); !committed) return Unexpected{committed.error()};
    return refresh(id);
}

Expected<TaskRecord> TaskQueue::end(const std::string &id, TaskState from, TaskState to, const Error &error,
                                    bool charged)
{
    const QVariantList values{qlonglong{QDateTime::currentMSecsSinceEpoch()},
                              QString::fromStdString(std::string(errorName(error.code))), text(error.message),
                              text(error.subject), charged ? 1 : 0};
    const Expected<void> moved =
        move(id, from, to,
             "ended_ms = ?, error_code = ?, error_message = ?, error_subject = ?, attempts = attempts + ?", values);
    if (!moved) return Unexpected{moved.error()};
    return refresh(id);
}

std::string imagePath(const TaskRecord &task, int index)
{
    return "images/" + task.user + "/" + task.id + "_" + std::to_string(index + 1) + ".png";
}

int imageCount(const TaskRecord &task)
{
    const auto factor = [&](const char *key) {
        const auto it = task.params.find(key);
        return it != task.params.end() && it->is_number_integer()
                   ? std::clamp(it->get<std::int64_t>(), std::int64_t{1}, std::int64_t{10'000})
                   : 1;
    };
    // A loop of loopback that is repeated gives the last picture of each repetition.
    const std::int64_t loops = factor("n_iter") == 1 ? factor("loopback_loops") : 1;
    return static_cast<int>(std::min<std::int64_t>(factor("batch_size") * factor("n_iter") * loops, 1'000'000));
}

}  // namespace sg
