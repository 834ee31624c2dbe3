//! The machinery behind the suites' macros.

/// Makes the macro of one suite.
///
/// The list of properties is written once, in a hidden macro that hands it to another; from it come the named tests of
/// an embedder and the list that the kit's own tests use.
macro_rules! suite {
    (
        $(#[$doc:meta])*
        $macro_name:ident, $list:ident, $module:ident, $fixture:ident, $dollar:tt, [$($property:ident),+ $(,)?]
    ) => {
        $(#[$doc])*
        #[macro_export]
        macro_rules! $macro_name {
            (multi_thread, $dollar factory:expr $dollar(,)?) => {
                $crate::$macro_name!(@tests run_multi_thread, $dollar factory);
            };
            ($dollar factory:expr $dollar(,)?) => {
                $crate::$macro_name!(@tests run_current_thread, $dollar factory);
            };
            (@tests $dollar run:ident, $dollar factory:expr) => {
                $(
                    #[test]
                    fn $property() {
                        $crate::conformance::$dollar run(async {
                            let fixture = $crate::conformance::$module::$fixture::from($dollar factory.await);
                            $crate::conformance::$module::$property(fixture).await;
                        });
                    }
                )+
            };
        }

        #[cfg(test)]
        pub(crate) const $list: &[&str] = &[$(stringify!($property)),+];
    };
}

pub(crate) use suite;
