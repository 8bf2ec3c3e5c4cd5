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
