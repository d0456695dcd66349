// SendLater: asks when a message is to leave. Objections: what speaks against sending it as it is.

import { useId, useState } from 'preact/hooks'
import { Actions, Button, Dialog } from '../../kit'
import type { Objection } from './composition'
import { flawOfTime, moments, parseLocal, spoken, writeLocal } from './schedule'

export function SendLater({ mostSeconds, onClose, onChoose }: { mostSeconds: number, onClose: () => void, onChoose: (time: Date) => void }) {
  const [now] = useState(() => new Date()), id = useId()
  const choices = moments(now).filter(one => flawOfTime(one.time, now, mostSeconds) === null)
  const [text, setText] = useState(() => writeLocal(new Date(now.getTime() + 86_400_000))), time = parseLocal(text), wrong = flawOfTime(time, new Date(), mostSeconds)
  return <Dialog title="Send later" onClose={onClose}>
    <div class="moments">
      {choices.map(one => <button key={one.title} type="button" class="moment" onClick={() => onChoose(one.time)}>
        <span>{one.title}</span><span class="muted">{spoken(one.time, now)}</span>
      </button>)}
    </div>
    <form class="stack" onSubmit={event => {
      event.preventDefault()
      if (time && !wrong) onChoose(time)
    }}>
      <div class="field">
        <label for={id}>Another time</label>
        <input id={id} class="input" type="datetime-local" value={text} min={writeLocal(now)} max={writeLocal(new Date(now.getTime() + mostSeconds * 1000))}
          aria-invalid={wrong !== null} aria-describedby={`${id}-about`} onInput={event => setText(event.currentTarget.value)} />
        <span id={`${id}-about`} class={wrong ? 'error' : 'help'}>{wrong ?? `In the time of this computer, ${Intl.DateTimeFormat().resolvedOptions().timeZone}. It waits on the server: nothing has to stay open.`}</span>
      </div>
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" icon="clock" disabled={wrong !== null}>Schedule</Button></Actions>
    </form>
  </Dialog>
}

export function Objections({ list, onClose, onSend }: { list: readonly Objection[], onClose: () => void, onSend: () => void }) {
  const stops = list.some(one => one.stops)
  return <Dialog title={stops ? 'It cannot be sent yet' : 'Send it like this?'} onClose={onClose}>
    <ul class="objections">{list.map(one => <li key={one.text}>{one.text}{one.action && <> <Button small onPress={() => {
      one.action?.run()
      onClose()
    }}>{one.action.text}</Button></>}</li>)}</ul>
    <Actions>
      <Button onPress={onClose} autofocus={stops}>{stops ? 'Back' : 'Go on writing'}</Button>
      {!stops && <Button tone="primary" icon="send" autofocus onPress={onSend}>Send anyway</Button>}
    </Actions>
  </Dialog>
}
