package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variable is the variable of the environment that stands for a flag.
func variable(flag string) string {
	return "LIVESTORE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// describe adds to the text of each flag which variable stands for it.
func describe(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage += " [" + variable(f.Name) + "]" })
}

// fromEnv sets the flags that were not given from the environment. A variable of a flag that may be repeated holds its values
// separated by commas; an empty variable counts as none.
func fromEnv(cmd *cobra.Command, env func(string) (string, bool)) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		value, ok := env(variable(f.Name))
		if err != nil || f.Changed || !ok || value == "" || f.Name == "help" {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if bad := cmd.Flags().Set(f.Name, v); bad != nil {
				err = usagef("invalid value %q of the environment variable %s: %w", v, variable(f.Name), bad)
				return
			}
		}
	})
	return err
}
