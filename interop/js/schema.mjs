// The schema both sides have: the one of upstream's TodoMVC example. Package todomvc is the same in Go.
import { Events, makeSchema, Schema, SessionIdSymbol, State } from '@livestore/livestore'

const { SQLite } = State

export const tables = {
  todos: SQLite.table({
    name: 'todos',
    columns: {
      id: SQLite.text({ primaryKey: true }),
      text: SQLite.text({ default: '' }),
      completed: SQLite.boolean({ default: false }),
      deletedAt: SQLite.integer({ nullable: true, schema: Schema.DateFromNumber }),
    },
  }),
  uiState: SQLite.clientDocument({
    name: 'uiState',
    schema: Schema.Struct({ newTodoText: Schema.String, filter: Schema.Literal('all', 'active', 'completed') }),
    default: { id: SessionIdSymbol, value: { newTodoText: '', filter: 'all' } },
  }),
}

const one = Schema.Struct({ id: Schema.String })

export const events = {
  'v1.TodoCreated': Events.synced({ name: 'v1.TodoCreated', schema: Schema.Struct({ id: Schema.String, text: Schema.String }) }),
  'v1.TodoCompleted': Events.synced({ name: 'v1.TodoCompleted', schema: one }),
  'v1.TodoUncompleted': Events.synced({ name: 'v1.TodoUncompleted', schema: one }),
  'v1.TodoDeleted': Events.synced({
    name: 'v1.TodoDeleted',
    schema: Schema.Struct({ id: Schema.String, deletedAt: Schema.Date }),
  }),
  'v1.TodoClearedCompleted': Events.synced({
    name: 'v1.TodoClearedCompleted',
    schema: Schema.Struct({ deletedAt: Schema.Date }),
  }),
}

const materializers = SQLite.materializers({ ...events, uiStateSet: tables.uiState.set }, {
  'v1.TodoCreated': ({ id, text }) => tables.todos.insert({ id, text, completed: false }),
  'v1.TodoCompleted': ({ id }) => tables.todos.update({ completed: true }).where({ id }),
  'v1.TodoUncompleted': ({ id }) => tables.todos.update({ completed: false }).where({ id }),
  'v1.TodoDeleted': ({ id, deletedAt }) => tables.todos.update({ deletedAt }).where({ id }),
  'v1.TodoClearedCompleted': ({ deletedAt }) => tables.todos.update({ deletedAt }).where({ completed: true }),
})

export const schema = makeSchema({
  events: { ...events, uiStateSet: tables.uiState.set },
  state: SQLite.makeState({ tables, materializers }),
})

// draft makes an event of its name and its arguments as JSON has them.
export const draft = ({ name, args }) => {
  const { deletedAt, ...rest } = args
  return events[name](deletedAt === undefined ? rest : { ...rest, deletedAt: new Date(deletedAt) })
}

// todo makes the draft that creates the nth to-do of a writer.
export const todo = (prefix, n) => events['v1.TodoCreated']({ id: `${prefix}${n}`, text: `Todo number ${n}` })
