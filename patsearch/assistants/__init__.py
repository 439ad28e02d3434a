"""An index for assistants: tools of the Model Context Protocol, over standard input and output or HTTP."""
