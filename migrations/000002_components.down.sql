DROP TABLE component_events, component_tokens, components;
