package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const (
	envPrefix = "SHOAL_"
	configKey = "config"
	helpKey   = "help"

	// keyDelim separates levels of a path in koanf. No flag name has a dot, so
	// a nested key of the file never passes for one.
	keyDelim = "."
)

// configure sets the flags that the command line left alone from the
// environment and from the file that --config (or SHOAL_CONFIG) names. One
// environment and one file may serve several commands: what stands for a flag
// of another command is ignored, but a key of the file that is not known, the
// name of any flag, is an error.
func configure(flags *pflag.FlagSet, known map[string]bool, environ []string) error {
	fromEnv, err := environment(flags, environ)
	if err != nil {
		return err
	}
	path := flags.Lookup(configKey).Value.String()
	if path == "" {
		path = fromEnv.String(configKey)
	}
	all := koanf.New(keyDelim)
	if path != "" {
		if all, err = configFile(path, known); err != nil {
			return err
		}
	}
	source := func(key string) string {
		if fromEnv.Exists(key) {
			return envPrefix + envName(key)
		}
		return path + ": " + key
	}
	if err := all.Merge(fromEnv); err != nil {
		return failed("read the configuration", path, err)
	}
	for _, key := range all.Keys() {
		f := flags.Lookup(key)
		if f == nil || f.Changed {
			continue
		}
		value := flagText(all.Get(key))
		if err := flags.Set(key, value); err != nil {
			return usageError("read the configuration", source(key), "its form is that of --"+key+": "+f.Usage, flagCause(err))
		}
	}
	return nil
}

// environment collects the variables that stand for a flag; an empty one is
// as good as none.
func environment(flags *pflag.FlagSet, environ []string) (*koanf.Koanf, error) {
	names := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != helpKey {
			names[envPrefix+envName(f.Name)] = f.Name
		}
	})
	k := koanf.New(keyDelim)
	err := k.Load(env.Provider(keyDelim, env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if value == "" {
				return "", nil
			}
			return names[name], value
		},
	}), nil)
	return k, failed("read the environment", "", err)
}

// configFile reads a YAML file.
func configFile(path string, known map[string]bool) (*koanf.Koanf, error) {
	k := koanf.New(keyDelim)
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return nil, usageError("read the configuration", path, "--config names a YAML file such as 'listen: 0.0.0.0:7071'", err)
	}
	for _, key := range k.Keys() {
		if !known[key] || key == configKey {
			return nil, usageError("read the configuration", path,
				"its keys are the flags of shoal's commands without the dashes", fmt.Errorf("unknown key %q", key))
		}
	}
	return k, nil
}

func envName(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagText is a YAML value in the form that its flag would take.
func flagText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		texts := make([]string, len(v))
		for i, e := range v {
			texts[i] = flagText(e)
		}
		return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), ",")
	}
	return fmt.Sprint(v)
}

// flagCause strips pflag's wording, which speaks of flags where the value came
// from elsewhere.
func flagCause(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return e.Unwrap()
	}
	return err
}
