import { createMemoryHistory, type RouterHistory } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import userEvent, { PointerEventsCheckLevel, type UserEvent } from '@testing-library/user-event';
import { Console } from '../Console';

/** Opens the console at a place, as a browser would. */
export function open(place: string): { user: UserEvent; history: RouterHistory } {
  const history = createMemoryHistory({ initialEntries: [place] });
  render(<Console history={history} />);
  // antd's choices are labels over inputs that take no pointer themselves.
  return { user: userEvent.setup({ pointerEventsCheck: PointerEventsCheckLevel.Never }), history };
}

/** The dialog that something stands in. In tests antd gives all dialogs the same id, so that they cannot be told apart by their names. */
export function dialogOf(element: HTMLElement): HTMLElement {
  const dialog = element.closest<HTMLElement>('[role=dialog]');
  if (!dialog) throw new Error('not in a dialog');
  return dialog;
}
